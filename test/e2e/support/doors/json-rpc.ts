import { once } from 'node:events';
import { WebSocket } from 'ws';
import { Lines } from './lines.ts';
import { type Call, scramLogin, verifierOf } from './scram.ts';
import type { Place, TestDoor, Visit } from './test-door.ts';

/** A connection that carries one JSON-RPC message at a time. */
interface Messages {
  say(message: string): void;
  /** The next message; undefined at the end. */
  next(): Promise<string | undefined>;
  ended(): Promise<void>;
  close(): void;
}

interface Answer {
  readonly id?: number;
  readonly result?: never;
  readonly error?: { readonly data: { readonly code: string } };
}

function caller(messages: Messages): Call {
  let lastId = 0;
  return async (method, params) => {
    lastId += 1;
    messages.say(JSON.stringify({ jsonrpc: '2.0', id: lastId, method, params }));
    for (;;) {
      const message = await messages.next();
      if (message === undefined) throw new Error('the connection has ended');
      const { id, result, error } = JSON.parse(message) as Answer;
      if (id !== lastId) continue;
      if (error) throw new Error(error.data.code);
      return result as never;
    }
  };
}

function visit(messages: Messages, call: Call): Visit {
  return {
    async send(to, text) {
      await call('message.send', { to: `@${to}`, text });
    },
    async read(from, count) {
      const page = await call<{ messages: Array<{ text: string }> }>('message.history', { to: `@${from}` });
      return page.messages.slice(0, count).map(({ text }) => text);
    },
    ended: () => messages.ended(),
    close: () => messages.close(),
  };
}

/** JSON-RPC, one object a line: what our own client speaks. */
export const line: TestDoor = {
  name: 'line',
  door: 'line',
  makes: 'private',
  showsPassword: false,
  async register(place, username, password) {
    const lines = new Lines(place);
    const call = caller(lines);
    await call('account.register', { username, verifier: await verifierOf(call, username, password) });
    lines.close();
  },
  async logIn(place, username, credential) {
    const lines = new Lines(place);
    const call = caller(lines);
    if ('token' in credential) await call('login.resume', { session_token: credential.token });
    else await scramLogin(call, username, credential.password);
    return visit(lines, call);
  },
};

/** Messages over a WebSocket. */
async function openWebSocket({ port, isSecure }: Place): Promise<Messages> {
  const socket = new WebSocket(`${isSecure ? 'wss' : 'ws'}://127.0.0.1:${port}/ws`, {
    rejectUnauthorized: false,
  });
  const came: string[] = [];
  let wake: (() => void) | undefined;
  let isClosed = false;
  socket.on('message', (data: Buffer) => {
    came.push(data.toString());
    wake?.();
  });
  socket.on('close', () => {
    isClosed = true;
    wake?.();
  });
  socket.on('error', () => {});
  const messages: Messages = {
    say: (message) => socket.send(message),
    async next() {
      while (came.length === 0 && !isClosed) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return came.shift();
    },
    async ended() {
      while ((await messages.next()) !== undefined);
    },
    close: () => socket.terminate(),
  };
  await once(socket, 'open');
  return messages;
}

/** Document 2's WebSocket; a client without a token logs in on it as on the line door. */
export const webSocket: TestDoor = {
  name: 'WebSocket',
  door: 'websocket',
  makes: 'open',
  showsPassword: true,
  async register(place, username, password) {
    const messages = await openWebSocket(place);
    await caller(messages)('account.register', { username, password });
    messages.close();
  },
  async logIn(place, username, credential) {
    const messages = await openWebSocket(place);
    const call = caller(messages);
    if ('password' in credential) {
      await call('login.password', { username, password: credential.password });
      return visit(messages, call);
    }
    // Who has only a token finds out elsewhere whose it is: user_id is part of the first message.
    const lines = new Lines(place);
    const resumed = await caller(lines)<{ user_id: string }>('login.resume', {
      session_token: credential.token,
    });
    lines.close();
    messages.say(
      JSON.stringify({
        type: 'Authenticate',
        user_id: resumed.user_id,
        session_token: credential.token,
      }),
    );
    const answer = JSON.parse((await messages.next()) ?? '{}') as { type?: string; reason?: string };
    if (answer.type !== 'AuthSuccess') throw new Error(answer.reason);
    return visit(messages, call);
  },
};
