import type { Figure } from './figure.ts';
import { labelOf, names } from './nodes-names.ts';

/** What people do, at the busiest time. */
export interface Habits {
  /** Messages of one connected user in an hour. */
  readonly messagesPerHour: number;
  /** Connected followers whom a message is delivered to, on the average over rooms and direct messages. */
  readonly followersPerMessage: number;
  /** Logins, resumed sessions too, of one user in an hour. */
  readonly loginsPerHour: number;
  /** Conversations that one user follows. */
  readonly followed: number;
  /** Members of a conversation who are connected, on the average: so many users share one. */
  readonly connectedPerConversation: number;
}

/** What one machine has, and how much of it is used at the busiest time. */
export interface Machines {
  /** Of the thread that serves everybody, and of Redis's one thread. */
  readonly busy: number;
  /** Processors of PostgreSQL's primary. */
  readonly postgresCores: number;
  /** What its disk writes of WAL, in bytes a second. */
  readonly walBytesPerSecond: number;
  /** Resident memory of a node for its connections, in KB. */
  readonly nodeMemory: number;
  /** Open connections of a node. */
  readonly nodeConnections: number;
}

/** What one operation costs, as `nodes` has measured it; processors in microseconds. */
export interface Costs {
  readonly sendNode: number;
  /** Of each other node, which hears of every message. */
  readonly hearNode: number;
  readonly sendPostgres: number;
  /** Afterwards, for the index of words, by one node at a time. */
  readonly indexNode: number;
  readonly indexPostgres: number;
  readonly walBytes: number;
  readonly deliveryNode: number;
  readonly loginNode: number;
  readonly loginPostgres: number;
  /** Of Redis, for a message that comes in, and the same for each node that it goes out to. */
  readonly redisMessage: number;
  /** Of a node, and of a session's use that is noted, once in a minute at most. */
  readonly idlePostgres: number;
  readonly touchPostgres: number;
  readonly sessionNode: number;
  readonly sessionPostgres: number;
  readonly followedNode: number;
  readonly followedPostgres: number;
  /** KB. */
  readonly connection: number;
  /** A second. */
  readonly oneRoom: number;
}

export const habits: Habits = {
  messagesPerHour: 20,
  followersPerMessage: 20,
  loginsPerHour: 2,
  followed: 10,
  connectedPerConversation: 20,
};

export const machines: Machines = {
  busy: 0.6,
  postgresCores: 32,
  walBytesPerSecond: 200e6,
  nodeMemory: 8e6,
  nodeConnections: 50_000,
};

/** Reads the costs from the figures of the kept runs, of `nodes` and `idle-connections`; undefined while there are none. */
export function costsOf(figures: readonly Figure[]): Costs | undefined {
  const middle = (name: string): number | undefined => figures.find((one) => one.name === name)?.median;
  const of = (nodes: number, name: string): number => middle(`${labelOf(nodes)}: ${name}`) ?? Number.NaN;
  const idle = (way: string): number =>
    middle(`memory of an idle connection, ${way}, of 10,000`) ?? Number.NaN;
  const costs: Costs = {
    sendNode: of(1, names.sendNodes),
    hearNode: of(3, names.hearNode),
    sendPostgres: of(3, names.sendPostgres),
    indexNode: of(3, names.indexNodes),
    indexPostgres: of(3, names.indexPostgres),
    walBytes: of(3, names.sendWal),
    deliveryNode: of(3, names.deliveryNodes),
    loginNode: of(3, names.loginNodes),
    loginPostgres: of(3, names.loginPostgres),
    redisMessage: of(3, names.publishRedis) / 4,
    idlePostgres: of(3, names.idlePostgres),
    touchPostgres: of(3, names.updatePostgres),
    sessionNode: Math.max(0, of(3, names.sessionNode)),
    sessionPostgres: Math.max(0, of(3, names.sessionPostgres)),
    followedNode: Math.max(0, of(3, names.followedNode)),
    followedPostgres: Math.max(0, of(3, names.followedPostgres)),
    // TLS takes the same more as of the embedded server.
    connection: of(1, names.memory) + (idle('TLS') - idle('clear')),
    oneRoom: of(3, names.oneRoom),
  };
  return Object.values(costs).every(Number.isFinite) ? costs : undefined;
}

/** What so many connected users ask of every part. */
export interface Demand {
  readonly users: number;
  readonly messages: number;
  readonly deliveries: number;
  readonly logins: number;
  /** Infinite where no number of them is enough. */
  readonly nodes: number;
  /** What decides their number. */
  readonly nodesBy: 'processors' | 'memory' | 'connections';
  /** Conversations that one node has followers of. */
  readonly followedPerNode: number;
  /** Of one node's thread: what it takes to hear of all messages of the cluster, whoever they are for. */
  readonly hearing: number;
  /** Processors that PostgreSQL is busy with, by what for. */
  readonly postgres: {
    readonly messages: number;
    /** Noting that a session was used, once in a minute at most. */
    readonly touches: number;
    readonly logins: number;
    /** Asking whether the sessions of open connections still are. */
    readonly sessions: number;
    /** Asking for the ends of followed conversations. */
    readonly heads: number;
    readonly nodes: number;
    readonly all: number;
  };
  readonly walBytes: number;
  /** Of the time of the one node that fills the index. */
  readonly indexing: number;
  /** Of Redis's one thread. */
  readonly redis: number;
  readonly memory: number;
}

/** Reckons it; every cost is taken to grow in proportion. */
export function demandOf(users: number, costs: Costs, who: Habits = habits, on: Machines = machines): Demand {
  const messages = (users * who.messagesPerHour) / 3_600;
  const logins = (users * who.loginsPerHour) / 3_600;
  const deliveries = messages * who.followersPerMessage;
  const conversations = (users * who.followed) / who.connectedPerConversation;
  const shared =
    (messages * (costs.sendNode - costs.hearNode + costs.indexNode) +
      deliveries * costs.deliveryNode +
      logins * costs.loginNode +
      users * costs.sessionNode) /
    1e6;
  const hearing = (messages * costs.hearNode) / 1e6;
  const memory = users * costs.connection;
  // On so many nodes, people being where they happen to be, a conversation has a follower on this share of them.
  const spread = (nodes: number): number => 1 - (1 - 1 / nodes) ** who.connectedPerConversation;
  const fits = (nodes: number): boolean =>
    shared / nodes + hearing + (conversations * spread(nodes) * costs.followedNode) / 1e6 <= on.busy;
  const byProcessors = firstThat(fits);
  const byMemory = Math.ceil(memory / on.nodeMemory);
  const byConnections = Math.ceil(users / on.nodeConnections);
  const nodes = Math.max(1, byProcessors, byMemory, byConnections);
  const nodesBy = nodes === byConnections ? 'connections' : nodes === byMemory ? 'memory' : 'processors';
  const followedPerNode = Number.isFinite(nodes) ? conversations * spread(nodes) : conversations;
  const counted = Number.isFinite(nodes) ? nodes : Math.max(byMemory, byConnections);
  const postgres = {
    messages: (messages * (costs.sendPostgres + costs.indexPostgres)) / 1e6,
    touches: (Math.min(messages, users / 60) * costs.touchPostgres) / 1e6,
    logins: (logins * costs.loginPostgres) / 1e6,
    sessions: (users * costs.sessionPostgres) / 1e6,
    heads: (counted * followedPerNode * costs.followedPostgres) / 1e6,
    nodes: (counted * costs.idlePostgres) / 1e6,
  };
  return {
    users,
    messages,
    deliveries,
    logins,
    nodes,
    nodesBy,
    followedPerNode,
    hearing,
    postgres: { ...postgres, all: Object.values(postgres).reduce((sum, one) => sum + one, 0) },
    walBytes: messages * costs.walBytes,
    indexing: (messages * (costs.indexNode + costs.indexPostgres)) / 1e6,
    redis: (messages * costs.redisMessage * (1 + counted)) / 1e6,
    memory,
  };
}

const mostNodes = 10_000;

/** The least number of nodes for which something holds; infinite where there is none. */
function firstThat(holds: (nodes: number) => boolean): number {
  for (let nodes = 1; nodes <= mostNodes; nodes++) if (holds(nodes)) return nodes;
  return Number.POSITIVE_INFINITY;
}

/** A part that cannot be had twice as it is, and how full so many users make it: 1 is all that it has. */
export interface Part {
  readonly name: string;
  full(demand: Demand): number;
  /** What is done then. */
  readonly remedy: string;
}

/** Those parts. Nodes are none: there are more of them when more is asked. */
export const parts: readonly Part[] = [
  {
    name: 'Redis: one thread, and each message goes to every node',
    full: ({ redis }) => redis / machines.busy,
    remedy:
      'a channel for each of some shards of conversations: a node hears the shards that its people are in; then a Redis for each group of shards',
  },
  {
    name: 'a node: to hear of every message of the cluster',
    full: ({ hearing }) => hearing / machines.busy,
    remedy:
      'the same channels by shard; and people of one organisation on the same nodes, so that a node is in few shards',
  },
  {
    name: 'the index of words: one node at a time fills it',
    full: ({ indexing }) => indexing / machines.busy,
    remedy: 'a lock for each of some shards of conversations, so that several nodes fill it',
  },
  {
    name: 'PostgreSQL: processors for what people do',
    full: ({ postgres: { messages, touches, logins } }) =>
      (messages + touches + logins) / (machines.postgresCores * machines.busy),
    remedy:
      'history and search from a replica; then messages in several PostgreSQLs by conversation, accounts and sessions in one',
  },
  {
    name: 'PostgreSQL: processors for what nodes ask again and again, so that a lost notice costs seconds',
    full: ({ postgres: { sessions, heads, nodes } }) =>
      (sessions + heads + nodes) / (machines.postgresCores * machines.busy),
    remedy:
      'asking what has changed since the last time, as nodes do for memberships, instead of about each session and conversation; each of them only while the bus is in doubt; then from a replica',
  },
  {
    name: 'PostgreSQL: the disk of its log',
    full: ({ walBytes }) => walBytes / (machines.walBytesPerSecond * machines.busy),
    remedy: 'messages in several PostgreSQLs by conversation',
  },
];

/** How many users fill a part; from the smallest that do, to a hundredth. */
export function fullAt(part: Part, costs: Costs): number {
  let [low, high] = [1, 1];
  while (part.full(demandOf(high, costs)) < 1) {
    low = high;
    high *= 2;
    if (high > 1e10) return Number.POSITIVE_INFINITY;
  }
  while (high / low > 1.01) {
    const middle = Math.sqrt(low * high);
    if (part.full(demandOf(middle, costs)) < 1) low = middle;
    else high = middle;
  }
  return low;
}
