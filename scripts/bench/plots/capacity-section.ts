import { type Costs, costsOf, type Demand, demandOf, fullAt, habits, machines, parts } from '../capacity.ts';
import { shortNumber } from '../table.ts';
import type { KeptOutcome } from './kept-runs.ts';

const sizes = [10_000, 100_000, 1_000_000];

/** The model of docs/scaling.md, made from the kept runs; empty while there is no run of `nodes`. */
export function capacitySection(outcomes: readonly KeptOutcome[]): string {
  const costs = costsOf(outcomes.flatMap(({ figures }) => figures));
  if (costs === undefined) return '';
  return [costTable(costs), sizeTable(costs), partTable(costs)].join('\n\n');
}

const microseconds = (value: number): string => `${shortNumber(value)} µs`;
const whole = (value: number): string => Math.round(value).toLocaleString('en');
const percent = (value: number): string => `${Math.round(value * 100)} %`;

function costTable(costs: Costs): string {
  return table(
    ['what', 'of a node', 'of each other node', 'of PostgreSQL', 'of Redis'],
    [
      [
        'a message stored and acknowledged',
        microseconds(costs.sendNode),
        microseconds(costs.hearNode),
        `${microseconds(costs.sendPostgres)}, ${whole(costs.walBytes)} bytes of WAL`,
        `${microseconds(costs.redisMessage)}, and as much for each node`,
      ],
      [
        'its words in the index, by one node at a time',
        microseconds(costs.indexNode),
        '',
        microseconds(costs.indexPostgres),
        '',
      ],
      ['a delivery', microseconds(costs.deliveryNode), '', '', ''],
      ['a login', microseconds(costs.loginNode), '', microseconds(costs.loginPostgres), ''],
      ['a node, per second', '', '', microseconds(costs.idlePostgres), ''],
      ['a session that was used, noted once a minute', '', '', microseconds(costs.touchPostgres), ''],
      [
        'a session with a connection, per second',
        microseconds(costs.sessionNode),
        '',
        microseconds(costs.sessionPostgres),
        '',
      ],
      [
        'a followed conversation on a node, per second',
        microseconds(costs.followedNode),
        '',
        microseconds(costs.followedPostgres),
        '',
      ],
      ['a connection over TLS', `${shortNumber(costs.connection)} KB`, '', '', ''],
    ],
  );
}

function sizeTable(costs: Costs): string {
  const demands = sizes.map((users) => demandOf(users, costs));
  const row = (name: string, cell: (demand: Demand) => string): string[] => [name, ...demands.map(cell)];
  return table(
    ['connected users', ...sizes.map(whole)],
    [
      row('messages a second', ({ messages }) => whole(messages)),
      row('deliveries a second', ({ deliveries }) => whole(deliveries)),
      row('logins a second', ({ logins }) => whole(logins)),
      row('nodes, and what decides it', ({ nodes, nodesBy }) =>
        Number.isFinite(nodes) ? `${whole(nodes)}: ${nodesBy}` : 'no number is enough',
      ),
      row('memory of all connections', ({ memory }) => `${shortNumber(memory / 1e6)} GB`),
      row('a node’s thread: hearing of everything', ({ hearing }) => percent(hearing)),
      row('the time of the node that fills the index', ({ indexing }) => percent(indexing)),
      row('conversations followed on a node', ({ followedPerNode }) => whole(followedPerNode)),
      row('processors that PostgreSQL is busy with', ({ postgres }) => shortNumber(postgres.all)),
      row('… storing messages and their words', ({ postgres }) => shortNumber(postgres.messages)),
      row('… noting that sessions were used', ({ postgres }) => shortNumber(postgres.touches)),
      row('… logins', ({ postgres }) => shortNumber(postgres.logins)),
      row('… whether sessions of connections still are', ({ postgres }) => shortNumber(postgres.sessions)),
      row('… where followed conversations end', ({ postgres }) => shortNumber(postgres.heads)),
      row('WAL a second', ({ walBytes }) => `${shortNumber(walBytes / 1e6)} MB`),
      row('Redis’s thread', ({ redis }) => percent(redis)),
    ],
  );
}

function partTable(costs: Costs): string {
  const rows = parts
    .map((part) => ({ ...part, users: fullAt(part, costs) }))
    .sort((a, b) => a.users - b.users)
    .map(({ name, users, remedy }) => [
      name,
      Number.isFinite(users) ? `${(Number(users.toPrecision(2))).toLocaleString('en')} users` : 'never',
      remedy,
    ]);
  return [
    table(['what is full', 'at', 'what is done then'], rows),
    `One room takes ${whole(costs.oneRoom)} messages a second, however many nodes there are: its messages have one order.`,
    `Full is ${percent(machines.busy)} of a thread or of processors; PostgreSQL has ${machines.postgresCores} processors and ${whole(machines.walBytesPerSecond / 1e6)} MB a second for its log, a node ${whole(machines.nodeMemory / 1e6)} GB and ${whole(machines.nodeConnections)} connections. A user sends ${habits.messagesPerHour} messages an hour, each to ${habits.followersPerMessage} connected followers, logs in ${habits.loginsPerHour} times and follows ${habits.followed} conversations with ${habits.connectedPerConversation} connected members each.`,
  ].join('\n\n');
}

function table(head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [row(head), `|${head.map(() => '---|').join('')}`, ...rows.map(row)].join('\n');
}
