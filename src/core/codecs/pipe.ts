import { hashedPasswordPrefix } from '../crypto/hashed-password.ts';
import type { ChatError } from '../errors.ts';
import type { ChatEvent, EventCodec } from '../events.ts';
import { instantText } from '../model/instant.ts';
import { endedError } from '../session-end.ts';
import { bodyNote } from './body-note.ts';
import { callRequest, type TextCodec, type TextRequest } from './text-request.ts';

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '|': '\\p' };
const unescapes: Readonly<Record<string, string>> = { '\\\\': '\\', '\\n': '\n', '\\r': '\r', '\\p': '|' };

/** Spells one line of document 1's protocol from its fields, without its end. */
export function writePipe(fields: readonly string[]): string {
  return fields
    .map((field) => field.replace(/[\\\n\r|]/g, (character) => escapes[character] ?? ''))
    .join('|');
}

/**
 * Takes a line apart into at most `count` fields, the last of which may hold `|` as it is. Undefined for a line with NUL, with
 * CR elsewhere than at its end, or with an escape that {@link writePipe} does not write.
 */
export function readPipe(line: string, count = Number.POSITIVE_INFINITY): readonly string[] | undefined {
  if (/[\0\r]/.test(line)) return undefined;
  const raw = line.split('|');
  const parts = raw.length <= count ? raw : [...raw.slice(0, count - 1), raw.slice(count - 1).join('|')];
  const fields: string[] = [];
  for (const part of parts) {
    let isKnown = true;
    fields.push(
      part.replace(/\\.?/gsu, (sequence) => {
        const character = unescapes[sequence];
        if (character === undefined) isKnown = false;
        return character ?? '';
      }),
    );
    if (!isKnown) return undefined;
  }
  return fields;
}

interface Verb {
  /** How many fields follow the verb; the last one of a verb that takes text is all that is left. */
  readonly fields: number;
  readonly takesText?: true;
  read(...fields: string[]): TextRequest;
}

const verbs = new Map<string, Verb>(
  Object.entries<Verb>({
    REGISTER: {
      fields: 2,
      read: (username = '', secret = '') =>
        callRequest({
          operation: 'account.register',
          params: isHashed(secret) ? { username, hashed_password: secret } : { username, password: secret },
          answer: () => success('REGISTER'),
          refuse: failure('REGISTER'),
        }),
    },
    AUTH: {
      fields: 2,
      read: (username = '', secret = '') => {
        const spellings = {
          answer: ([opened]: ReadonlyArray<{ session_token: string }>) =>
            success('AUTH', opened?.session_token),
          refuse: failure('AUTH'),
        };
        return isHashed(secret)
          ? callRequest({
              operation: 'login.hashed-password',
              params: { username, hashed_password: secret },
              ...spellings,
            })
          : callRequest({
              operation: 'login.password',
              params: { username, password: secret },
              ...spellings,
            });
      },
    },
    CERTIFICATE: {
      fields: 1,
      read: (username = '') =>
        callRequest({
          operation: 'login.certificate',
          params: { username },
          answer: ([opened]) => success('CERTIFICATE', opened?.session_token),
          refuse: failure('CERTIFICATE'),
        }),
    },
    OTP: {
      fields: 1,
      read: (otp = '') =>
        callRequest({
          operation: 'login.second-factor',
          params: { otp },
          // It goes on with AUTH, whose answer is still owed.
          answer: ([opened]) => success('AUTH', opened?.session_token),
          refuse: failure('AUTH'),
        }),
    },
    SALT: {
      fields: 1,
      read: (username = '') =>
        callRequest({
          operation: 'login.salt',
          params: { username },
          answer: ([found]) => success('SALT', found?.realm, found?.salt, String(found?.cost)),
          refuse: failure('SALT'),
        }),
    },
    TOKEN: {
      fields: 1,
      read: (token = '') =>
        callRequest({
          operation: 'login.resume',
          params: { session_token: token },
          answer: ([resumed]) => success('TOKEN', resumed?.username),
          refuse: failure('TOKEN'),
        }),
    },
    SEND: {
      fields: 2,
      takesText: true,
      read: (to = '', text = '') =>
        callRequest({
          operation: 'message.send',
          params: { to, text },
          answer: ([sent]) => success('SEND', sent?.id, String(sent?.seq)),
          refuse: failure('SEND'),
        }),
    },
    USERS: {
      fields: 0,
      read: () =>
        callRequest({
          operation: 'user.list',
          params: {},
          next: ({ next }) => (next === null ? undefined : { after: next }),
          answer: (pages) =>
            success('USERS', ...pages.flatMap(({ users }) => users.map(({ username }) => username))),
          refuse: failure('USERS'),
        }),
    },
    FOLLOW: {
      fields: 2,
      read: (to = '', after = '') =>
        callRequest({
          operation: 'conversation.follow',
          params: { to, after: /^\d{1,16}$/.test(after) ? Number(after) : Number.NaN },
          answer: ([started]) => success('FOLLOW', started?.following[0]?.to),
          refuse: failure('FOLLOW'),
        }),
    },
    LOGOUT: {
      fields: 0,
      read: () =>
        callRequest({
          operation: 'session.end',
          params: {},
          answer: () => success('LOGOUT'),
          refuse: failure('LOGOUT'),
        }),
    },
    PING: { fields: 0, read: () => ({ kind: 'answer', text: 'PONG' }) },
    QUIT: { fields: 0, read: () => ({ kind: 'close' }) },
  }),
);

const encoder = new TextEncoder();

/** Events in the pipe protocol: messages, and the last word to a connection that is ended; nothing of the others. */
const pipeEvents: EventCodec = {
  name: 'pipe',
  encode(events) {
    let text = '';
    for (const event of events) text += eventLine(event);
    return encoder.encode(text);
  },
};

/** Document 1's protocol (five-systems, section 1): `VERB|field|…`, answered by `VERB|SUCCESS|…` or `VERB|FAILURE|code`. */
export const pipeCodec: TextCodec = {
  door: 'pipe',
  events: pipeEvents,
  tellsEventsFirst: false,
  read(line) {
    const [name = ''] = line.split('|', 1);
    const verb = verbs.get(name);
    if (!verb) return { kind: 'bad', text: writePipe(['ERROR', 'unsupported', 'there is no such verb']) };
    const fields = readPipe(line, verb.takesText ? verb.fields + 1 : undefined);
    if (fields?.length !== verb.fields + 1) {
      return { kind: 'answer', text: writePipe([name, 'FAILURE', 'invalid']) };
    }
    return verb.read(...fields.slice(1));
  },
  spell: (error) => writePipe(['ERROR', error.code, error.message]),
};

function eventLine(event: ChatEvent): string {
  switch (event.type) {
    case 'message': {
      const { to, seq, sentAt, sender, body } = event;
      const text = 'text' in body ? body.text : bodyNote(body);
      return `${writePipe(['MESSAGE', to, String(seq), instantText(sentAt), sender, text])}\n`;
    }
    case 'session-ended':
      return `${pipeCodec.spell(endedError(event.reason))}\n`;
    case 'presence':
    case 'account-notice':
    case 'lagging':
    case 'caught-up':
      return '';
  }
}

/** True for the form that a client derives; all else is a secret that the server stretches (five-systems, section 1). */
function isHashed(secret: string): boolean {
  return secret.startsWith(hashedPasswordPrefix);
}

function success(verb: string, ...fields: ReadonlyArray<string | undefined>): string {
  return writePipe([verb, 'SUCCESS', ...fields.map((field) => field ?? '')]);
}

function failure(verb: string): (error: ChatError) => string {
  return (error) => writePipe([verb, 'FAILURE', error.code]);
}
