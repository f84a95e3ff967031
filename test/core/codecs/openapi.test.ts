import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import { httpRoutes } from '../../../src/core/codecs/http-json.ts';
import { type HttpRoute, pathFields } from '../../../src/core/codecs/http-route.ts';
import { openApi, operationOf } from '../../../src/core/codecs/openapi.ts';

interface Described {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: string[];
  readonly security?: unknown;
  readonly parameters?: Array<{ name: string; in: string; required: boolean; schema: object }>;
  readonly requestBody?: {
    required: boolean;
    content: { 'application/json': { schema: Schema } };
  };
  readonly responses: Record<string, unknown>;
}
interface Schema {
  readonly properties: Record<string, object>;
  readonly required?: string[];
  readonly additionalProperties: boolean;
}
interface Document {
  readonly info: { version: string };
  readonly paths: Record<string, Record<string, Described>>;
}

const document = openApi(httpRoutes, '1.2.3') as unknown as Document;
const named: ReadonlyArray<readonly [string, HttpRoute]> = httpRoutes.map((route) => [
  `${route.method} ${route.path}`,
  route,
]);

function describedAt(path: string, method: string): Described {
  const found = document.paths[path]?.[method];
  if (!found) throw new Error(`not described: ${method} ${path}`);
  return found;
}

describe('the description of the API', () => {
  it('is a valid document of OpenAPI 3.1', async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate(
      structuredClone(document) as unknown as Record<string, unknown>,
    );
    expect([valid, errors, validator.version]).toEqual([true, undefined, '3.1']);
  });

  it('refers to nothing that it does not have', async () => {
    const validator = new Validator();
    await validator.validate(structuredClone(document) as unknown as Record<string, unknown>);
    expect(JSON.stringify(validator.resolveRefs())).not.toContain('$ref');
  });

  it('has every route of the list and nothing else', () => {
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(described.sort()).toEqual(named.map(([name]) => name).sort());
  });

  it("has the program's version", () => {
    expect(document.info.version).toBe('1.2.3');
  });

  it('gives each request an id of its own', () => {
    const ids = Object.values(document.paths).flatMap((methods) =>
      Object.values(methods).map(({ operationId }) => operationId),
    );
    expect([...new Set(ids)]).toEqual(ids);
    expect(ids).toContain('session.revoke.all');
  });

  it.each(named)('tells parameters, body, answer and who may ask: %s', (_, route) => {
    const { path, method, query = {}, headers = {}, body = [], status, summary } = route;
    const described = describedAt(path, method.toLowerCase());
    expect(described.summary).toBe(summary);
    expect(
      (described.parameters ?? []).map((one) => [one.in, one.name, one.in === 'path' && one.required]),
    ).toEqual([
      ...pathFields(path).map((name) => ['path', name, true]),
      ...Object.keys(query).map((name) => ['query', name, false]),
      ...Object.keys(headers).map((name) => ['header', name, false]),
    ]);
    const schema = described.requestBody?.content['application/json'].schema;
    expect(Object.keys(schema?.properties ?? {})).toEqual([...body]);
    expect(schema?.additionalProperties).toBe(body.length === 0 ? undefined : false);
    expect(Object.keys(described.responses)).toEqual([String(status), 'default']);
    expect(described.security).toEqual(
      operationOf(route).access === 'anyone' ? undefined : [{ session: [] }],
    );
  });

  it('is made of the schemas that check the input', () => {
    const sent = describedAt('/api/conversations/{to}/messages', 'post');
    expect(sent.parameters).toEqual([
      { name: 'to', in: 'path', required: true, schema: { type: 'string' } },
      {
        name: 'idempotency-key',
        in: 'header',
        required: false,
        schema: { type: 'string', minLength: 1, maxLength: 128 },
      },
    ]);
    const history = describedAt('/api/conversations/{to}/messages', 'get');
    expect(history.parameters?.find(({ name }) => name === 'limit')).toEqual({
      name: 'limit',
      in: 'query',
      required: false,
      schema: { type: 'integer', minimum: 1, maximum: 100, default: 100 },
    });
    const refresh = describedAt('/api/auth/refresh', 'post');
    expect(refresh.requestBody?.content['application/json'].schema).toEqual({
      type: 'object',
      properties: { refresh_token: { type: 'string', maxLength: 256 } },
      required: ['refresh_token'],
      additionalProperties: false,
    });
    expect(describedAt('/api/auth/logout', 'post').responses[204]).toEqual({ description: 'Done.' });
  });

  it('cannot be made of a route whose operation is unknown, or takes no such field', () => {
    const [first] = httpRoutes;
    if (!first) throw new Error('there are routes');
    expect(() => openApi([{ ...first, operation: 'no.such' as never }], '1')).toThrow(
      'no operation of this name: no.such',
    );
    expect(() => openApi([{ ...first, body: ['nope'] }], '1')).toThrow('the operation takes no nope');
  });
});
