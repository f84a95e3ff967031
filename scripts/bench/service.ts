import { firstLine, type Lab } from './lab.ts';
import { ended, startScript } from './left-overs.ts';
import { type Greeting, lineSocket } from './line-socket.ts';
import { stamped } from './stamps.ts';

/** What a generator speaks to: chat, or its floor. All that it does for a message is the same for both. */
export interface Service {
  readonly port: number;
  readonly pid: number;
  readonly follower: Greeting;
  /** Undefined where a sender need not say who it is. */
  readonly sender: Greeting | undefined;
  /** What stands before and after a message's text, up to the line's end; one line answers it. */
  readonly request: { readonly before: string; readonly after: string };
}

/** A sender's `n`-th message. */
export function requestText({ request }: Pick<Service, 'request'>, sender: number, n: number): string {
  return `${request.before}${stamped(sender, n)}${request.after}`;
}

/** Sends into a conversation, as JSON-RPC. */
export function sendRequest(to: string): Service['request'] {
  return {
    before: `{"jsonrpc":"2.0","id":1,"method":"message.send","params":{"to":"${to}","text":"`,
    after: '"}}\n',
  };
}

/** JSON-RPC requests, one a line. */
export function requests(...calls: ReadonlyArray<{ id: string; method: string; params: object }>): string {
  return calls.map((call) => `${JSON.stringify({ jsonrpc: '2.0', ...call })}\n`).join('');
}

/** A room of a lab's server, made for this. */
export async function chatRoom(lab: Pick<Lab, 'port' | 'pid' | 'token'>, room: string): Promise<Service> {
  const create = { id: 'room', method: 'room.create', params: { room } };
  const maker = await lineSocket(lab.port, {
    says: requests(resumeOf(lab), create),
    until: '"id":"room"',
  });
  maker.close();
  return madeRoom(lab, room);
}

/** A room that is there, at a server. */
export function madeRoom(lab: Pick<Lab, 'port' | 'pid' | 'token'>, room: string): Service {
  const follow = { id: 'follow', method: 'conversation.follow', params: { to: `#${room}` } };
  return {
    port: lab.port,
    pid: lab.pid,
    follower: { says: requests(resumeOf(lab), follow), until: '"id":"follow"' },
    sender: { says: requests(resumeOf(lab)), until: '"id":"login"' },
    request: sendRequest(`#${room}`),
  };
}

const resumeOf = ({ token }: Pick<Lab, 'token'>) => ({
  id: 'login',
  method: 'login.resume',
  params: { session_token: token },
});

/** The floor of a room: bare Node that joins what a turn gathered and hands every follower the same buffer, storing nothing. */
export async function withJoinedFloor<T>(use: (floor: Service) => Promise<T>): Promise<T> {
  const child = startScript('joined-floor.ts');
  const port = Number(await firstLine(child));
  const answer = await use({
    port,
    pid: child.pid ?? 0,
    follower: { says: 'follow\n', until: 'following' },
    sender: undefined,
    request: { before: '', after: '\n' },
  });
  await ended(child);
  return answer;
}

/** What {@link withJoinedFloor} is called in a table. */
export const joinedFloorName = 'bare Node, joined, nothing stored';
