import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { headCheckMs } from '../../src/core/policy.ts';
import { watchMemberships } from '../../src/server/membership-watch.ts';
import { presenceOverBus } from '../../src/server/presence/over-bus.ts';
import { localSessionCache } from '../../src/server/session-cache/local.ts';
import { FakePeer, login, openChat, register, type TestChat } from './support/chat.ts';
import type { ToldEvent } from './support/fake-peer.ts';
import { Chance, LossyNetwork } from './support/lossy-network.ts';
import { NotedMemberships } from './support/noted-memberships.ts';
import { SharedSessionCache } from './support/shared-session-cache.ts';

/** What a lost notice may cost: a message, the end of a session, what a leave ends. */
const lateMs = 5_000;
/** … and how long a dead node's people are believed to be online. */
const deadMs = 15_000;
const names = ['alice', 'bob', 'carol', 'dave'];
const rooms = ['#tea', '#work'];

/** A connection that notes when it was told what, and when it was ended. */
class Line extends FakePeer {
  readonly arrivals: { readonly at: number; readonly event: ToldEvent }[] = [];
  readonly user: string;
  readonly node: Node;
  readonly openedAt = Date.now();
  endedAt: number | undefined;
  sessionId = '';
  /** Where each stream begins, as the answer had it. */
  readonly after = new Map<string, number>();

  constructor(user: string, node: Node) {
    super();
    this.user = user;
    this.node = node;
    this.onGone(() => {
      this.endedAt ??= Date.now();
    });
  }

  override push(bytes: Uint8Array): void {
    super.push(bytes);
    const lines = new TextDecoder().decode(bytes).split('\n').slice(0, -1);
    for (const line of lines) {
      const { method, params } = JSON.parse(line) as { method: ToldEvent['type']; params: object };
      this.arrivals.push({ at: Date.now(), event: { type: method, ...params } });
    }
  }
}

interface Node {
  readonly t: TestChat;
  readonly cut: () => void;
  isDead: boolean;
}

/** That somebody was in a room: after which message, from when, and until when. */
interface Stay {
  readonly enteredAfter: number;
  readonly enteredAt: number;
  leftAfter: number;
  leftAt: number;
}

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse('2026-03-01T12:00:00.000Z') });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Three nodes over one store, that hear each other as a seed will have it, and what ought to be so. */
class World {
  readonly chance: Chance;
  readonly network: LossyNetwork;
  readonly nodes: Node[] = [];
  readonly lines: Line[] = [];
  /** When each message was acknowledged, by its conversation and seq; of two people the conversation is `alice bob`. */
  readonly sent = new Map<string, number[]>();
  readonly stays = new Map<string, Stay[]>();
  readonly revoked: { readonly id: string; readonly at: number }[] = [];

  constructor(seed: number) {
    this.chance = new Chance(seed);
    this.network = new LossyNetwork(seed + 1);
    this.network.doubts = seed % 3 === 0 ? 0.2 : 0;
  }

  async begin(): Promise<void> {
    const noted = new NotedMemberships();
    const shared = new SharedSessionCache();
    for (let index = 0; index < 3; index++) {
      const { bus, cut } = this.network.open();
      const [first] = this.nodes;
      const t = await openChat({
        bus: () => bus,
        presence: presenceOverBus,
        caches: [
          localSessionCache({ maxEntries: 100 }),
          shared.open(this.chance.of([-30_000, 0, 0, 30_000])),
        ],
        policy: { messagesPerSecond: 0, loginsPerMinute: 0, joinsPerMinute: 0 },
        ...(first ? { beside: first.t } : { store: noted.wrap }),
      });
      const watch = watchMemberships({
        read: noted.read,
        onNotes: t.chat.noteMemberships,
        everyMs: headCheckMs,
        onFailure: (error) => t.failures.push({ error, errorId: undefined }),
      });
      bus.onDoubt?.(watch.lookNow);
      onTestFinished(watch.stop);
      this.nodes.push({ t, cut, isDead: false });
    }
    await register(this.here.t, ...names);
    const [founder] = names;
    const line = await this.connect(founder ?? '', this.here);
    for (const room of rooms) await this.enter(line, room, 'room.create');
  }

  get here(): Node {
    const [node] = this.nodes;
    if (!node) throw new Error('there is one');
    return node;
  }

  get alive(): Node[] {
    return this.nodes.filter(({ isDead }) => !isDead);
  }

  open(user?: string): Line[] {
    return this.lines.filter(
      (line) => !line.isGone && !line.node.isDead && (user === undefined || line.user === user),
    );
  }

  /** Lets time pass, and everything be done that is due. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 100) {
      vi.advanceTimersByTime(100);
      await this.here.t.quiet();
    }
  }

  async connect(user: string, node: Node): Promise<Line> {
    const line = new Line(user, node);
    const { session_id } = await login(node.t, line, user);
    line.sessionId = session_id;
    await node.t.call(line, 'user.list', { watch: true });
    const { following } = await node.t.call(line, 'conversation.follow', {});
    for (const { to, after } of following) line.after.set(to, after);
    this.lines.push(line);
    return line;
  }

  /** What a conversation is called whoever reads it. */
  nameOf(user: string, to: string): string {
    return to.startsWith('@') ? [user, to.slice(1)].sort().join(' ') : to;
  }

  async send(line: Line, to: string): Promise<void> {
    const name = this.nameOf(line.user, to);
    const times = this.sent.get(name) ?? [];
    this.sent.set(name, times);
    const { seq } = await line.node.t.call(line, 'message.send', { to, text: 'x' });
    expect(seq).toBe(times.length + 1);
    times.push(Date.now());
  }

  staysOf(user: string, room: string): Stay[] {
    const key = `${user} ${room}`;
    const stays = this.stays.get(key) ?? [];
    this.stays.set(key, stays);
    return stays;
  }

  isIn(user: string, room: string): boolean {
    return this.staysOf(user, room).at(-1)?.leftAt === Number.POSITIVE_INFINITY;
  }

  async enter(line: Line, room: string, how: 'room.join' | 'room.create' = 'room.join'): Promise<void> {
    await line.node.t.call(line, how, { room });
    this.staysOf(line.user, room).push({
      enteredAfter: this.sent.get(room)?.length ?? 0,
      enteredAt: Date.now(),
      leftAfter: Number.POSITIVE_INFINITY,
      leftAt: Number.POSITIVE_INFINITY,
    });
  }

  async leave(line: Line, room: string): Promise<void> {
    const stay = this.staysOf(line.user, room).at(-1);
    await line.node.t.call(line, 'room.leave', { room });
    if (stay) Object.assign(stay, { leftAfter: this.sent.get(room)?.length ?? 0, leftAt: Date.now() });
  }

  async step(): Promise<void> {
    const { chance } = this;
    const user = chance.of(names);
    const lines = this.open(user);
    const what = chance.of([
      'send',
      'send',
      'send',
      'send',
      'room',
      'connect',
      'hang up',
      'revoke',
      'wait',
    ] as const);
    if (what === 'connect' || lines.length === 0) {
      await this.connect(user, chance.of(this.alive));
      return;
    }
    const line = chance.of(lines);
    const room = chance.of(rooms);
    if (what === 'send') {
      const other = chance.of(names.filter((name) => name !== user));
      const to = chance.of(['#lobby', room, room, `@${other}`]);
      if (!rooms.includes(to) || this.isIn(user, to)) {
        const count = 1 + chance.below(4);
        for (let one = 0; one < count; one++) await this.send(line, to);
      }
    } else if (what === 'room') {
      await (this.isIn(user, room) ? this.leave(line, room) : this.enter(line, room));
    } else if (what === 'hang up') {
      line.leave();
    } else if (what === 'revoke') {
      const other = chance.of(lines);
      if (other === line) return;
      await line.node.t.call(line, 'session.revoke', { id: other.sessionId });
      this.revoked.push({ id: other.sessionId, at: Date.now() });
    } else {
      await this.pass(chance.below(30) * 100);
    }
  }

  /** Ends a node as a crash does: nothing comes from it any more, and its connections are gone. */
  kill(node: Node): void {
    node.isDead = true;
    node.cut();
  }

  /** Checks one line's stream of one conversation. */
  checkStream(line: Line, to: string): void {
    const told = line.arrivals.filter(({ event }) => event.type === 'message' && event.to === to);
    const seqs = told.map(({ event }) => Number(event.seq));
    const where = `${line.user} on ${to}: ${seqs}`;
    for (const [index, seq] of seqs.entries()) {
      if (index > 0) expect(seq, where).toBeGreaterThan(seqs[index - 1] ?? 0);
    }
    const times = this.sent.get(this.nameOf(line.user, to)) ?? [];
    const until = line.endedAt ?? Number.POSITIVE_INFINITY;
    const always: Stay = {
      enteredAfter: 0,
      enteredAt: Number.NEGATIVE_INFINITY,
      leftAfter: Number.POSITIVE_INFINITY,
      leftAt: Number.POSITIVE_INFINITY,
    };
    const stays = rooms.includes(to) ? this.staysOf(line.user, to) : [always];
    const given = new Map(told.map(({ at, event }) => [Number(event.seq), at]));
    for (const { at, event } of told) {
      const isIn = stays.some(({ enteredAt, leftAt }) => at >= enteredAt && at <= leftAt + lateMs);
      expect(isIn, `${where}: ${event.seq} was told after the leave`).toBe(true);
    }
    for (const [index, sentAt] of times.entries()) {
      const seq = index + 1;
      const stay = stays.find(({ enteredAfter, leftAfter }) => seq > enteredAfter && seq <= leftAfter);
      // What was there before the line began, came as it ended, or shortly before its user left need not be told.
      if (!stay || seq <= (line.after.get(to) ?? 0) || sentAt < line.openedAt) continue;
      const due = sentAt + lateMs;
      if (due >= Math.min(until, stay.leftAt)) continue;
      const at = given.get(seq);
      expect(at, `${where}: ${seq} of ${times.length} is missing`).toBeDefined();
      // Of an entry that nobody told the node of, what was said since is told with the next.
      expect((at ?? 0) - sentAt, `${where}: ${seq} is late`).toBeLessThanOrEqual(lateMs);
    }
  }

  check(): void {
    for (const line of this.lines) {
      if (line.node.isDead) continue;
      for (const to of [
        '#lobby',
        ...rooms,
        ...names.filter((name) => name !== line.user).map((name) => `@${name}`),
      ]) {
        this.checkStream(line, to);
      }
    }
    for (const { id, at } of this.revoked) {
      const line = this.lines.find(({ sessionId }) => sessionId === id);
      if (!line || line.node.isDead) continue;
      expect(line.isGone, 'a revoked session is still open').toBe(true);
      expect((line.endedAt ?? 0) - at, 'a revoked session ended late').toBeLessThan(lateMs);
    }
    for (const { t } of this.alive) expect(t.failures).toEqual([]);
  }

  async checkPresence(): Promise<void> {
    const online = [...new Set(this.open().map(({ user }) => user))].sort();
    for (const line of this.open()) {
      const { users } = await line.node.t.call(line, 'user.list', {});
      expect(users.map(({ username }) => username)).toEqual(online);
      const states = new Map<string, boolean>();
      for (const { event } of line.arrivals) {
        if (event.type !== 'presence') continue;
        const user = String(event.user);
        // Told once: who is told to be online was not.
        if (states.has(user)) expect(event.online).not.toBe(states.get(user));
        states.set(user, event.online === true);
      }
      for (const [user, isOnline] of states) expect([user, isOnline]).toEqual([user, online.includes(user)]);
    }
  }
}

describe('three nodes whose notices are lost, late, told twice and in another order', () => {
  it.each(Array.from({ length: seeds() }, (_, index) => index + firstSeed()))(
    'follow without gap or repeat, end what is revoked, and know who is online (seed %i)',
    async (seed) => {
      const world = new World(seed);
      await world.begin();
      for (let steps = 0; steps < 40; steps++) {
        await world.step();
        await world.pass(world.chance.below(8) * 100);
      }
      const [, , last] = world.nodes;
      if (last && world.chance.isSo(0.5)) world.kill(last);
      await world.pass(lateMs);
      world.check();
      // Nothing of presence is doubted for ever: what is lost is found by the next beats that are not.
      world.network.losses = 0.05;
      await world.pass(deadMs + lateMs);
      await world.checkPresence();
      world.check();
    },
  );
});

/** More of them by the environment: for a night. */
function seeds(): number {
  return Number(process.env.CHAT_CLUSTER_SEEDS ?? 6);
}

function firstSeed(): number {
  return Number(process.env.CHAT_CLUSTER_SEED ?? 1);
}
