import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { answerShapes, checkAnswer, type Shape } from '../../src/client/answer-shapes.ts';
import { BadFrame } from '../../src/client/frames.ts';
import { operations } from '../../src/core/operations/index.ts';

/** As much of JSON Schema as the operations' answers are written in. */
interface Schema {
  readonly type?: string | readonly string[];
  readonly anyOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}

const kinds: Readonly<Record<string, Shape>> = {
  string: 'text',
  number: 'number',
  integer: 'number',
  boolean: 'flag',
};

/** What may stand in a place, each by itself: `null` is one of them. */
function variantsOf(schema: Schema): readonly Schema[] {
  if (Array.isArray(schema.type)) return schema.type.map((type: string) => ({ ...schema, type }));
  return schema.anyOf ?? [schema];
}

function shapeOf({ type, items, properties, required, ...rest }: Schema): Shape {
  if (type === 'array') return [shapeOf(items ?? {})];
  if (type === 'object' && !properties) return 'object';
  if (properties) {
    const members = Object.entries(properties).map(([name, schema]) => {
      const variants = variantsOf(schema);
      const values = variants.filter((one) => one.type !== 'null');
      if (values.length !== 1) throw new Error(`${name} is of several kinds`);
      const mark = `${values.length < variants.length ? '*' : ''}${required?.includes(name) ? '' : '?'}`;
      return [`${name}${mark}`, shapeOf(values[0] ?? {})];
    });
    return Object.fromEntries(members);
  }
  const kind = kinds[String(type ?? typeof (rest.const ?? rest.enum?.[0]))];
  if (kind === undefined) throw new Error(`what is ${JSON.stringify({ type, ...rest })}?`);
  return kind;
}

describe('what a client expects of answers', () => {
  it('is, of each operation that stands there, all that it declares', () => {
    const declared = operations
      .filter(({ name }) => name in answerShapes)
      .map(({ name, output }) => [name, shapeOf(z.toJSONSchema(output) as Schema)]);
    expect(answerShapes).toEqual(Object.fromEntries(declared));
  });

  const users = { users: [{ username: 'alice', online: true }], next: null };
  it.each([
    ['as declared', users],
    ['with a member that a newer server knows', { ...users, since: 1 }],
    ['with a cursor', { ...users, next: 'alice' }],
  ])('is taken %s', (_what, answer) => {
    expect(() => checkAnswer('user.list', answer)).not.toThrow();
  });

  it.each([
    ['an answer that is no object', []],
    ['a wrong users', { ...users, users: {} }],
    ['a wrong users', { next: null }],
    ['a wrong users', { ...users, users: [null] }],
    ['a wrong username', { ...users, users: [{ online: true }] }],
    ['a wrong online', { ...users, users: [{ username: 'alice', online: 'yes' }] }],
    ['a wrong next', { ...users, next: 7 }],
  ])('is told from %s', (what, answer) => {
    expect(() => checkAnswer('user.list', answer)).toThrow(new BadFrame(what));
  });

  it('may leave out what is optional, and has null only where that is said', () => {
    const registered = { user_id: 'u', username: 'alice', created_at: '2019-11-01T09:30:00.000Z' };
    expect(() => checkAnswer('account.register', registered)).not.toThrow();
    expect(() => checkAnswer('account.register', { ...registered, warning: null })).toThrow(
      'a wrong warning',
    );
    expect(() => checkAnswer('user.list', { ...users, users: null })).toThrow('a wrong users');
  });
});
