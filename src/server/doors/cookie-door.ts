import { TLSSocket } from 'node:tls';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { formKinds, readForm, UnknownFormKind } from '../../core/codecs/form-body.ts';
import type { FormAnswer, FormCall, FormPages, FormRoute } from '../../core/codecs/http-form.ts';
import { ChatError } from '../../core/errors.ts';
import { deviceCookie, readCookie, sessionCookie } from './cookies.ts';
import { refuseForeignSite, requireSession } from './csrf.ts';
import type { Calls } from './door.ts';
import { methodRefused, nothingHere, StatusError } from './status-error.ts';

/** What the pages need. */
export interface CookieDoorParts {
  readonly pages: FormPages;
  readonly calls: Calls;
}

/** What every page allows. */
const allowed = 'POST, OPTIONS';

/**
 * Serves the cookie workflow (spec K), as a plugin of the HTTP door. It takes every address that nothing else is served at and
 * looks it up with each request, so that a page may be added at any time.
 */
export async function cookieDoor(app: FastifyInstance, { pages, calls }: CookieDoorParts): Promise<void> {
  app.removeAllContentTypeParsers();
  // Whole and unread: which kinds a form has, and whether this page wants one, is told below.
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

  // The one place where every page's caller is checked (spec K11), before the body is read.
  app.addHook('onRequest', async (request, reply) => {
    const { method, peer, headers } = request;
    request.page = pageAt(pages, request.params);
    if (method !== 'POST') return refuseMethod(request, reply);
    const isSecure = isOverTls(request);
    refuseForeignSite({ headers, isSecure });
    refuseQuery(request.query);
    // No kind of a body is refused that nobody reads.
    if (request.page.fields === 'ignored') delete headers['content-type'];
    if (request.page.isProtected) await requireSession(calls, { peer, headers, isSecure });
  });

  app.setErrorHandler((error) => {
    // By its name: a kind that is not well-formed is refused before it is seen here.
    const isUnknownKind =
      error instanceof UnknownFormKind ||
      (error as Partial<FastifyError>).code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE';
    if (isUnknownKind) throw new StatusError(415, unknownKind);
    throw error;
  });

  app.all('/*', { config: { door: 'cookie' } }, async (request, reply) => {
    const { page, peer } = request;
    const isSecure = isOverTls(request);
    const fields = page.fields === 'ignored' ? {} : await formOf(request, page.fields);
    const answer = await page.serve(fields, {
      call: ((name, input) => calls.call(peer, name, input)) as FormCall,
      deviceId: deviceOf(request, isSecure),
      deviceLabel: labelOf(request.headers['user-agent']),
    });
    return reply.code(page.status).headers(cookiesOf(answer, isSecure)).send(answer.body);
  });
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The page that was asked for; there where pages are served. */
    page: FormRoute;
  }
}

/** By the path as the router has read it from whatever form of address. */
function pageAt(pages: FormPages, params: unknown): FormRoute {
  const { '*': rest = '' } = params as { '*'?: string };
  const page = pages.get(`/${rest}`);
  if (page) return page;
  throw nothingHere();
}

/** OPTIONS only asks what there is; GET and HEAD never do anything (ASVS 3.5.3). */
function refuseMethod({ method }: FastifyRequest, reply: FastifyReply): FastifyReply {
  reply.header('Allow', allowed);
  if (method === 'OPTIONS') return reply.code(204).send();
  throw methodRefused(method, allowed);
}

function refuseQuery(query: unknown): void {
  if (Object.keys(query as object).length > 0) {
    throw new ChatError('invalid', 'nothing stands in the query here: send a body');
  }
}

const unknownKind = new ChatError('unsupported', `a form is one of ${formKinds.join(', ')}, in UTF-8`);

function formOf({ headers, body }: FastifyRequest, fields: readonly string[]) {
  const bytes = Buffer.isBuffer(body) ? new Uint8Array(body) : new Uint8Array();
  return readForm(headers['content-type'], bytes, fields);
}

/** RFC 9562 section 5.7: what every id of a device is. */
const uuidV7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** The device of the browser, if its cookie could be one of ours: no other may keep anybody from logging in. */
function deviceOf({ headers }: FastifyRequest, isSecure: boolean): string | undefined {
  const id = readCookie(headers.cookie, 'device', isSecure);
  return id !== undefined && uuidV7.test(id) ? id : undefined;
}

/** What a browser calls itself, as far as it is text and not too long for a list. */
function labelOf(userAgent: string | undefined): string | undefined {
  const label = userAgent
    ?.replace(/[^ -~]/g, '')
    .slice(0, 80)
    .trim();
  return label === '' ? undefined : label;
}

function cookiesOf({ sessionToken, deviceId }: FormAnswer, isSecure: boolean): { 'Set-Cookie'?: string[] } {
  const cookies = [
    ...(sessionToken === undefined ? [] : [sessionCookie(sessionToken, isSecure)]),
    ...(deviceId === undefined ? [] : [deviceCookie(deviceId, isSecure)]),
  ];
  return cookies.length === 0 ? {} : { 'Set-Cookie': cookies };
}

function isOverTls({ raw }: FastifyRequest): boolean {
  return raw.socket instanceof TLSSocket;
}
