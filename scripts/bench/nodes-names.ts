/** What the figures of `nodes` are called, after the cluster's size: the model of the cost finds them by it. */
export const names = {
  sends: 'durable sends to 96 rooms',
  sendNodes: 'CPU of the nodes per send',
  sendPostgres: 'CPU of PostgreSQL per send',
  sendRedis: 'CPU of Redis per send',
  sendWal: 'WAL of PostgreSQL per send',
  indexNodes: 'CPU of the nodes for the index afterwards, per send',
  indexPostgres: 'CPU of PostgreSQL for the index afterwards, per send',
  hearNode: 'CPU of a node per message of another node',
  oneRoom: 'durable sends to one room',
  deliveries: 'deliveries to 100 followers on other nodes',
  deliveryNodes: 'CPU of the nodes per delivery',
  deliveryRedis: 'CPU of Redis per delivery',
  p50: 'delivery on another node, 100 messages/s, p50',
  p99: 'delivery on another node, 100 messages/s, p99',
  logins: 'challenge–response logins',
  loginNodes: 'CPU of the nodes per login',
  loginPostgres: 'CPU of PostgreSQL per login',
  loginRedis: 'CPU of Redis per login',
  idleNode: 'CPU of a node per second, nobody there',
  idlePostgres: 'CPU of PostgreSQL per node and second, nobody there',
  followedNode: 'CPU of the nodes per followed room and second',
  followedPostgres: 'CPU of PostgreSQL per followed room and second',
  sessionNode: 'CPU of the nodes per open session and second',
  sessionPostgres: 'CPU of PostgreSQL per open session and second',
  memory: 'memory of an idle connection, clear, of 2,000',
  update: 'pg alone, one-row updates, each with its commit',
  updatePostgres: 'CPU of PostgreSQL for pg alone per one-row update',
  publish: 'Redis alone, one message to 3 subscribers',
  publishRedis: 'CPU of Redis alone per message to 3 subscribers',
} as const;

/** A cluster of so many nodes, as its figures begin; 0 is the embedded server. */
export function labelOf(nodes: number): string {
  return nodes === 0 ? 'embedded' : nodes === 1 ? '1 node' : `${nodes} nodes`;
}
