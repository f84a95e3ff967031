import { expect, test } from 'vitest';
import { databaseAddress } from '../../../src/server/store/postgres/database-address.ts';

const refused = (url: string): string => {
  try {
    databaseAddress(url);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return 'taken';
};

test('a URL of PostgreSQL says who goes where, with what is left out as usual', () => {
  expect(
    databaseAddress('postgres://chat:p%40ss@db.example.org:6543/main?sslmode=require&pool_max_conns=8'),
  ).toEqual({
    host: 'db.example.org',
    port: 6543,
    user: 'chat',
    password: 'p@ss',
    database: 'main',
    tls: { servername: 'db.example.org', minVersion: 'TLSv1.2', rejectUnauthorized: false },
    maxConnections: 8,
  });
  expect(databaseAddress('postgresql://[::1]')).toEqual({
    host: '::1',
    port: 5432,
    user: undefined,
    password: undefined,
    database: undefined,
    tls: false,
    maxConnections: undefined,
  });
  expect(databaseAddress('postgres:///chat?host=/run/postgresql')).toMatchObject({
    host: '/run/postgresql',
    tls: false,
  });
});

test('another machine is spoken to by TLS, and must be the one that was meant', () => {
  expect(databaseAddress('postgres://db.example.org/chat').tls).toEqual({
    servername: 'db.example.org',
    minVersion: 'TLSv1.2',
  });
  expect(databaseAddress('postgres://192.0.2.1/chat').tls).toEqual({ minVersion: 'TLSv1.2' });
  expect(databaseAddress('postgres://db.example.org/chat?sslmode=disable').tls).toBe(false);
  for (const here of ['localhost', '127.0.0.1', '127.9.9.9', '[::1]']) {
    expect(databaseAddress(`postgres://${here}/chat`).tls).toBe(false);
  }
});

test.each([
  ['nothing', 'is none'],
  ['mysql://localhost/chat', 'begins with mysql://'],
  ['postgres:///chat', 'names no host'],
  ['postgres://localhost/chat?sslmode=allow', 'which anybody on the way could take away'],
  ['postgres://localhost/chat?sslmode=on', 'says sslmode=on'],
  ['postgres://localhost/chat?application_name=x', 'application_name=…, which is not known'],
  ['postgres://localhost/chat?pool_max_conns=4', 'a number from 5 to 1000'],
  ['postgres://localhost/chat?pool_max_conns=many', 'a number from 5 to 1000'],
  ['postgres:///chat?host=/run/postgresql&sslmode=require', 'has no TLS'],
  ['postgres://chat:hun%ter2@localhost/chat', 'begins no sign'],
])('%s is refused', (url, why) => {
  expect(refused(url)).toContain(why);
  expect(refused(url)).not.toContain('ter2');
});
