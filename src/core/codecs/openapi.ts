import * as z from 'zod';
import type { Operation } from '../operation.ts';
import { operations } from '../operations/index.ts';
import { type HttpRoute, pathFields, type QueryKind } from './http-route.ts';
import { problemType } from './problem.ts';

/** A JSON Schema or a part of the description, as plain data. */
type Json = Readonly<Record<string, unknown>>;

/** JSON Schema draft 2020-12, which is what OpenAPI 3.1 speaks. */
interface ObjectSchema extends Json {
  readonly properties?: Readonly<Record<string, Json>>;
  readonly required?: readonly string[];
}

const byName: ReadonlyMap<string, Operation> = new Map(
  operations.map((operation) => [operation.name, operation as unknown as Operation]),
);

const queryTypes: Readonly<Record<QueryKind, Json>> = {
  text: { type: 'string' },
  number: { type: 'integer', minimum: 0 },
  flag: { type: 'boolean' },
};

/** The operation that a route spells. */
export function operationOf(route: HttpRoute): Operation {
  const operation = byName.get(route.operation);
  if (!operation) throw new Error(`no operation of this name: ${route.operation}`);
  return operation;
}

/**
 * Describes the API as an OpenAPI 3.1 document, made of the same schemas that check the input (five-systems, section 2).
 * `version` is the program's.
 */
export function openApi(routes: readonly HttpRoute[], version: string): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: described(route) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'chat',
      version,
      description:
        'Team chat: accounts, sessions, rooms and messages. Errors are problem documents (RFC 9457).',
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      securitySchemes: {
        session: { type: 'http', scheme: 'bearer', description: 'A session token (`cs1_…`).' },
      },
      schemas: { Problem: problemSchema },
      responses: {
        Problem: {
          description: 'What was wrong, by code and in words.',
          content: { [problemType]: { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      },
    },
  };
}

const problemSchema: Json = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'code'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { type: 'string' },
    field: { type: 'string', description: 'The input field that does not fit.' },
    retry_after_ms: { type: 'integer' },
    error_id: { type: 'string' },
  },
};

function described(route: HttpRoute): Json {
  const operation = operationOf(route);
  const input = inputSchema(operation);
  const inPath = pathFields(route.path).map((name) =>
    parameter('path', name, true, fieldSchema(input, name)),
  );
  const inQuery = Object.entries(route.query ?? {}).map(([name, kind]) =>
    parameter('query', name, isRequired(input, name), { ...queryTypes[kind], ...fieldSchema(input, name) }),
  );
  const inHeaders = Object.entries(route.headers ?? {}).map(([header, name]) =>
    parameter('header', header, isRequired(input, name), fieldSchema(input, name)),
  );
  const parameters = [...inPath, ...inQuery, ...inHeaders];
  return {
    operationId: `${route.operation}${route.fixed?.all === true ? '.all' : ''}`,
    summary: route.summary,
    tags: [route.path.split('/')[2] ?? ''],
    ...(operation.access === 'anyone' ? {} : { security: [{ session: [] }] }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined || route.body.length === 0
      ? {}
      : {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: bodySchema(input, route.body) } },
          },
        }),
    responses: {
      [route.status]: answered(route, operation),
      default: { $ref: '#/components/responses/Problem' },
    },
  };
}

function answered(route: HttpRoute, operation: Operation): Json {
  if (route.status === 204) return { description: 'Done.' };
  const schema = plain(
    z.toJSONSchema(route.output ?? operation.output, { io: 'output', unrepresentable: 'any' }),
  );
  return { description: 'Done.', content: { 'application/json': { schema } } };
}

/** Of an input that has several shapes (a union), the fields of all of them, each optional. */
function inputSchema(operation: Operation): ObjectSchema {
  const schema = plain(z.toJSONSchema(operation.input, { io: 'input', unrepresentable: 'any' }));
  const variants = (schema.anyOf ?? [schema]) as readonly ObjectSchema[];
  if (variants.length === 1) return variants[0] ?? schema;
  return { properties: Object.assign({}, ...variants.map(({ properties }) => properties)) };
}

function plain({ $schema: _, ...schema }: Record<string, unknown>): ObjectSchema {
  return schema;
}

function bodySchema(input: ObjectSchema, fields: readonly string[]): Json {
  const required = fields.filter((name) => isRequired(input, name));
  return {
    type: 'object',
    properties: Object.fromEntries(fields.map((name) => [name, fieldSchema(input, name)])),
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
  };
}

function parameter(where: 'path' | 'query' | 'header', name: string, required: boolean, schema: Json): Json {
  return { name, in: where, required, schema };
}

function isRequired(input: ObjectSchema, name: string): boolean {
  return input.required?.includes(name) ?? false;
}

function fieldSchema(input: ObjectSchema, name: string): Json {
  const schema = input.properties?.[name];
  if (!schema) throw new Error(`the operation takes no ${name}`);
  return schema;
}
