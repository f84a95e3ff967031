import { counter, type Family, flag, gauge } from './family.ts';

/** What nodes hear of each other. */
export const busFamilies: readonly Family[] = [
  gauge('chat_bus_up', '1 while the Redis of --bus answers.', ({ node }) => flag(node?.bus?.isUp)),
  gauge('chat_bus_heard', '1 while what this node tells the others comes back to it.', ({ node }) =>
    flag(node?.bus?.isHeard),
  ),
  gauge('chat_bus_peers', 'Other nodes that are heard.', ({ node }) => node?.bus?.peers),
  gauge(
    'chat_presence_nodes',
    'Other nodes of which it is known who is online there.',
    ({ node }) => node?.bus && node.known,
  ),
  {
    name: 'chat_bus_notices_total',
    help: 'What nodes told each other: sent by this one, heard from others, or dropped, which the others were not told.',
    type: 'counter',
    read: ({ node }) =>
      node?.bus === undefined
        ? []
        : (['sent', 'heard', 'dropped'] as const).map((what) => ({
            labels: { what },
            value: node.bus?.[what] ?? 0,
          })),
  },
  counter(
    'chat_bus_refused_frames_total',
    'What came over the bus and was not heard: of nobody with the cluster secret, repeated, or too old.',
    ({ node }) => node?.bus?.refused,
  ),
  counter(
    'chat_bus_gaps_total',
    'How often something of another node was missing.',
    ({ node }) => node?.bus?.gaps,
  ),
  counter(
    'chat_bus_doubts_total',
    'How often everything was looked up in the store because something may have been missing.',
    ({ node }) => node?.bus?.doubts,
  ),
  counter(
    'chat_bus_reconnects_total',
    'How often Redis was reached again.',
    ({ node }) => node?.bus?.reconnects,
  ),
  counter(
    'chat_bus_timeouts_total',
    'How often an answer of Redis was waited for in vain.',
    ({ node }) => node?.bus?.timeouts,
  ),
];
