import { type Family, gauge, seconds } from './family.ts';

/** What a server is, and since when. */
export const serverFamilies: readonly Family[] = [
  {
    name: 'chat_build_info',
    help: 'Always 1: which program this is, with the commit it was built from, and on which Node it runs.',
    type: 'gauge',
    read: ({ version }) => [{ labels: { version, node: process.versions.node }, value: 1 }],
  },
  gauge('chat_start_time_seconds', 'When the server was started, in Unix time.', ({ startedAt }) =>
    seconds(startedAt),
  ),
  {
    name: 'chat_node_info',
    help: 'Always 1, with --store: what this run of this node is called, and which database it is over.',
    type: 'gauge',
    read: ({ node, store }) =>
      node ? [{ labels: { node: node.id, store: store.remote?.server ?? '' }, value: 1 }] : [],
  },
  gauge('chat_draining', '1 while the server is shutting down.', ({ isDraining }) => (isDraining ? 1 : 0)),
];
