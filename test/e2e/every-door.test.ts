import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, cookie, http } from './support/doors/http.ts';
import { line, webSocket } from './support/doors/json-rpc.ts';
import { pipeHashed, pipeOpaque, tokenByPipe } from './support/doors/pipe.ts';
import { slash } from './support/doors/slash.ts';
import type { Credential, Place, TestDoor, Visit } from './support/doors/test-door.ts';
import { type Lab, openLab, type RunningServer } from './support/lab.ts';

const doors: readonly TestDoor[] = [line, pipeHashed, pipeOpaque, slash, http, cookie, webSocket];
const password = 'every door, one secret';

let lab: Lab;
let server: RunningServer;
/** The session of an account that answers everybody. */
let friendly: Credential;
const friend = 'friend';
let people = 0;

beforeAll(async () => {
  lab = openLab();
  server = await lab.serve([
    '--logins-per-minute',
    '0',
    '--registrations-per-hour',
    '0',
    '--free-failed-logins',
    '0',
  ]);
  const place = { port: server.port, isSecure: false };
  await http.register(place, friend, password);
  friendly = { token: await tokenByPipe(place, friend, password) };
}, 300_000);
afterAll(() => lab.close());

/** Somebody new, registered through a door. */
async function newcomer(place: Place, door: TestDoor): Promise<string> {
  people += 1;
  const name = `person${people}`;
  await door.register(place, name, password);
  return name;
}

/** Logs somebody in at every door: with the password where it is taken, otherwise with a session's token. */
async function atEveryDoor(place: Place, name: string, makes: TestDoor['makes']): Promise<Visit[]> {
  const visits: Visit[] = [];
  for (const door of doors) {
    const isRefused = makes === 'private' && door.showsPassword;
    const credential = isRefused ? { token: await tokenByPipe(place, name, password) } : { password };
    visits.push(await door.logIn(place, name, credential));
  }
  return visits;
}

/** The friend at every door, which takes no password: everybody else comes with theirs. */
async function friendAtEveryDoor(place: Place): Promise<Visit[]> {
  const visits: Visit[] = [];
  for (const door of doors) visits.push(await door.logIn(place, friend, friendly));
  return visits;
}

async function refusalOf(login: Promise<Visit>): Promise<string> {
  return login.then(
    (visit) => {
      visit.close();
      return 'let in';
    },
    (error: Error) => error.message,
  );
}

describe('one account, every door', () => {
  const placed = (isSecure = false): Place => ({ port: server.port, isSecure });

  it.each(
    doors.flatMap((door) => [[door.name, 'in clear', door] as const, [door.name, 'over TLS', door] as const]),
  )(
    'an account made at %s talks through all of them %s, and reads what was said at each',
    async (_name, way, door) => {
      const place = placed(way === 'over TLS');
      const name = await newcomer(place, door);
      const own = await atEveryDoor(place, name, door.makes);
      const theirs = await friendAtEveryDoor(place);
      const said: string[] = [];
      for (const [index, visit] of own.entries()) {
        said.push(`from ${name} at ${doors[index]?.name}`);
        await visit.send(friend, said.at(-1) ?? '');
        said.push(`from ${friend} at ${doors[index]?.name}`);
        await theirs[index]?.send(name, said.at(-1) ?? '');
      }
      for (const [index, visit] of own.entries()) {
        const at = doors[index]?.name;
        expect([at, await visit.read(friend, said.length)]).toEqual([at, said]);
        expect([at, await theirs[index]?.read(name, said.length)]).toEqual([at, said]);
      }
      for (const visit of [...own, ...theirs]) visit.close();
    },
  );

  it.each(doors.map((door) => [door.name, door] as const))(
    'one revocation at HTTP ends the sessions of all doors of an account made at %s (ASVS 7.4.1)',
    async (_name, door) => {
      const place = placed();
      const name = await newcomer(place, door);
      const visits = await atEveryDoor(place, name, door.makes);
      const headers = { Authorization: `Bearer ${await tokenByPipe(place, name, password)}` };
      const listed = await ask(place, { method: 'GET', path: '/api/auth/sessions', headers });
      const sessions = listed.body.sessions as Array<{ door: string }>;
      // A token's session is listed under the door that it was opened at.
      const opened = doors.map((one) => (door.makes === 'private' && one.showsPassword ? 'pipe' : one.door));
      // Registering over HTTP logs in.
      if (door === http) opened.push('http');
      expect(sessions.map((session) => session.door).sort()).toEqual([...opened, 'pipe'].sort());
      const revoked = await ask(place, { method: 'DELETE', path: '/api/auth/sessions', headers });
      expect(revoked.status).toBe(204);
      await Promise.all(visits.map((visit) => visit.ended()));
      const after = await ask(place, { method: 'GET', path: '/api/account', headers });
      expect(after.status).toBe(401);
    },
  );

  it('a changed password is the only one that every door takes, and what the old one opened has ended (ASVS 7.4.3)', async () => {
    const place = placed();
    const name = await newcomer(place, http);
    const visits = await atEveryDoor(place, name, 'open');
    const opened = await ask(place, {
      method: 'POST',
      path: '/api/auth/login',
      json: { username: name, password },
    });
    const headers = { Authorization: `Bearer ${opened.body.session_token}` };
    const changed = 'every door, another secret';
    const change = { proof: { password }, password: changed };
    const request = { method: 'POST', path: '/api/account/password', headers };
    expect((await ask(place, { ...request, json: { password: changed } })).status).toBe(400);
    expect(await ask(place, { ...request, json: change })).toMatchObject({
      status: 200,
      // Registering over HTTP logs in.
      body: { privacy: 'open', ended_sessions: doors.length + 1 },
    });
    await Promise.all(visits.map((visit) => visit.ended()));
    for (const door of doors) {
      const refused = await refusalOf(door.logIn(place, name, { password }));
      expect([door.name, refused]).not.toEqual([door.name, 'let in']);
      const nobody = await refusalOf(door.logIn(place, 'nobody-here', { password }));
      expect([door.name, refused]).toEqual([door.name, nobody]);
      (await door.logIn(place, name, { password: changed })).close();
    }
    expect((await ask(place, { method: 'GET', path: '/api/account', headers })).status).toBe(200);
  });

  it.each(doors.filter((door) => door.showsPassword).map((door) => [door.name, door] as const))(
    'the right password of a private account is refused at %s like a wrong one, and like a name that nobody has',
    async (_name, door) => {
      const place = placed();
      const name = await newcomer(place, line);
      const wrong = await refusalOf(door.logIn(place, name, { password: 'some other secret' }));
      expect(wrong).not.toBe('let in');
      expect(await refusalOf(door.logIn(place, name, { password }))).toBe(wrong);
      expect(await refusalOf(door.logIn(place, 'nobody-here', { password }))).toBe(wrong);
    },
  );

  it.each(doors.map((door) => [door.name, door] as const))(
    'a token that has been logged out opens nothing at %s',
    async (_name, door) => {
      const place = placed();
      const name = await newcomer(place, door);
      const token = await tokenByPipe(place, name, password);
      const visit = await door.logIn(place, name, { token });
      const headers = { Authorization: `Bearer ${token}` };
      await ask(place, { method: 'POST', path: '/api/auth/logout', headers });
      await visit.ended();
      expect(await refusalOf(door.logIn(place, name, { token }))).not.toBe('let in');
    },
  );
});
