import { mechanismOf } from '../../../core/login/index.ts';
import { counter, type Family, gauge } from './family.ts';

/** Who is there, what is called and refused, and what is given to whom. */
export const callFamilies: readonly Family[] = [
  gauge('chat_logged_in', 'Logged-in connections, and requests under way.', ({ chat }) => chat.loggedIn),
  gauge(
    'chat_users_online',
    'Accounts with an open connection that takes events.',
    ({ chat }) => chat.online,
  ),
  gauge('chat_readers', 'Connections that follow a conversation.', ({ chat }) => chat.readers),
  gauge(
    'chat_followers',
    'Places of connections in conversations that they follow.',
    ({ chat }) => chat.followers,
  ),
  gauge(
    'chat_followers_lagging',
    'Followers that are fed from the store because their connection is behind.',
    ({ chat }) => chat.lagging,
  ),
  counter(
    'chat_followers_lagged_total',
    'How often a follower fell so far behind that it lost the live stream for a while.',
    ({ chat }) => chat.lagged,
  ),

  {
    name: 'chat_calls_total',
    help: 'Calls by operation and outcome: ok, or the code of the error.',
    type: 'counter',
    read: ({ calls }) =>
      calls.flatMap(({ operation, outcomes }) =>
        [...outcomes].map(([outcome, value]) => ({ labels: { operation, outcome }, value })),
      ),
  },
  counter('chat_bugs_total', 'Calls that ended as a bug: with the outcome internal.', ({ bugs }) => bugs),
  {
    name: 'chat_call_duration_seconds',
    help: 'From the arrival of a call at the rules to its answer, by operation.',
    type: 'histogram',
    read: ({ calls }) => calls.map(({ operation, seconds: figures }) => ({ labels: { operation }, figures })),
  },
  {
    name: 'chat_logins_total',
    help: 'Calls of login mechanisms by mechanism and outcome; a challenge-response login is two.',
    type: 'counter',
    read: ({ calls }) => {
      const sums = new Map<string, { labels: { mechanism: string; outcome: string }; value: number }>();
      for (const { operation, outcomes } of calls) {
        const mechanism = mechanismOf(operation);
        if (mechanism === undefined) continue;
        for (const [outcome, count] of outcomes) {
          const key = `${mechanism} ${outcome}`;
          const sum = sums.get(key) ?? { labels: { mechanism, outcome }, value: 0 };
          sum.value += count;
          sums.set(key, sum);
        }
      }
      return [...sums.values()];
    },
  },
  {
    name: 'chat_rate_limited_total',
    help: 'What was refused because it came too often, by the limit that refused it.',
    type: 'counter',
    read: ({ limited }) => [...limited].map(([limit, value]) => ({ labels: { limit }, value })),
  },
  counter(
    'chat_messages_stored_total',
    'Messages stored since the start, those of the server itself too.',
    ({ messages }) => messages,
  ),
  counter(
    'chat_deliveries_total',
    'Messages given to followers: one for each of them.',
    ({ chat }) => chat.deliveries,
  ),
];
