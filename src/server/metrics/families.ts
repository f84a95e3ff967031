import { mechanismOf } from '../../core/login/index.ts';
import type { HistogramFigures } from '../histogram.ts';
import type { ServerFigures } from './figures.ts';

/** One number with what it is of. */
export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One histogram with what it is of. */
export interface Distribution {
  readonly labels?: Readonly<Record<string, string>>;
  readonly figures: HistogramFigures;
}

/** One metric: its name by the conventions of Prometheus, and how it is read. Labels are of small closed sets, never of people or rooms. */
export type Family =
  | {
      readonly name: string;
      readonly help: string;
      readonly type: 'counter' | 'gauge';
      readonly read: (figures: ServerFigures) => readonly Sample[];
    }
  | {
      readonly name: string;
      readonly help: string;
      readonly type: 'histogram';
      readonly read: (figures: ServerFigures) => readonly Distribution[];
    };

/** A number of the figures, if there is one. */
type Read = (figures: ServerFigures) => number | undefined;

function one(type: 'counter' | 'gauge', name: string, help: string, read: Read): Family {
  return {
    name,
    help,
    type,
    read(figures) {
      const value = read(figures);
      return value === undefined ? [] : [{ value }];
    },
  };
}

const counter = (name: string, help: string, read: Read): Family => one('counter', name, help, read);
const gauge = (name: string, help: string, read: Read): Family => one('gauge', name, help, read);
const histogram = (
  name: string,
  help: string,
  read: (figures: ServerFigures) => HistogramFigures | undefined,
): Family => ({
  name,
  help,
  type: 'histogram',
  read(all) {
    const figures = read(all);
    return figures === undefined ? [] : [{ figures }];
  },
});

const flag = (value: boolean | undefined): number | undefined =>
  value === undefined ? undefined : Number(value);
const seconds = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : ms / 1_000);

/** Every metric of chat's own; docs/operating.md has a table of them. */
export const families: readonly Family[] = [
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

  {
    name: 'chat_connections',
    help: 'Open connections by door, over TLS or in clear text.',
    type: 'gauge',
    read: ({ traffic }) =>
      traffic.open.map(({ door, isSecure, count }) => ({
        labels: { door, tls: isSecure ? 'yes' : 'no' },
        value: count,
      })),
  },
  gauge(
    'chat_connections_undecided',
    'Open connections that have not come to a door yet.',
    ({ traffic }) => traffic.undecided,
  ),
  gauge(
    'chat_connections_limit',
    'Connections that the server takes (--max-connections); 0 for any number.',
    ({ maxConnections }) => maxConnections,
  ),
  counter(
    'chat_connections_accepted_total',
    'Connections that were let in.',
    ({ traffic }) => traffic.accepted,
  ),
  {
    name: 'chat_connections_refused_total',
    help: 'Connections that were refused before a door was opened for them, by reason.',
    type: 'counter',
    read: ({ traffic }) =>
      Object.entries(traffic.refused).map(([reason, value]) => ({ labels: { reason }, value })),
  },
  counter(
    'chat_tls_handshakes_failed_total',
    'TLS handshakes that did not come to an end.',
    ({ traffic }) => traffic.failedHandshakes,
  ),
  counter(
    'chat_network_received_bytes_total',
    'Bytes received, with what TLS adds.',
    ({ traffic }) => traffic.bytesIn,
  ),
  counter(
    'chat_network_sent_bytes_total',
    'Bytes handed to the system to be sent, with what TLS adds.',
    ({ traffic }) => traffic.bytesOut,
  ),
  gauge(
    'chat_queued_bytes',
    'Bytes that wait for their readers, of all connections.',
    ({ traffic }) => traffic.queuedBytes,
  ),
  gauge(
    'chat_queued_bytes_max',
    'Bytes that wait for the reader with the most.',
    ({ traffic }) => traffic.mostQueuedBytes,
  ),

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

  gauge('chat_store_queue', 'Calls that wait for the store.', ({ store }) => store.queue),
  histogram('chat_store_batch_calls', 'Calls that the store ran together.', ({ store }) => store.batchCalls),
  histogram(
    'chat_store_batch_seconds',
    'What a batch of the store took, with its commit.',
    ({ store }) => store.batchSeconds,
  ),
  histogram(
    'chat_store_commit_seconds',
    'What a commit took, with its sync and with the checkpoint if one was due.',
    ({ store }) => store.commitSeconds,
  ),
  histogram(
    'chat_store_sync_seconds',
    'What the disk took for a sync of a file (fdatasync).',
    ({ store }) => store.file?.syncSeconds,
  ),
  histogram(
    'chat_store_checkpoint_seconds',
    'What bringing the log into the database took.',
    ({ store }) => store.file?.checkpointSeconds,
  ),
  gauge(
    'chat_store_checkpoint_time_seconds',
    'When the log was last brought into the database, in Unix time; absent before the first time.',
    ({ store }) => seconds(store.file?.checkpointAt),
  ),
  gauge('chat_store_database_bytes', 'Size of the database without its log.', ({ disk, store }) =>
    store.file ? disk.databaseBytes : undefined,
  ),
  gauge('chat_store_log_bytes', "Size of the database's write-ahead log.", ({ disk, store }) =>
    store.file ? disk.logBytes : undefined,
  ),
  gauge(
    'chat_disk_free_bytes',
    'Free bytes on the disk of the data directory.',
    ({ disk }) => disk.freeBytes,
  ),
  counter(
    'chat_store_disk_full_total',
    'Writes of the store that found the disk full.',
    ({ store }) => store.file?.fullDisk,
  ),
  gauge(
    'chat_search_index_lag_messages',
    'Messages that are not in the index of words yet, as far as the store knows.',
    ({ store }) => store.indexLag,
  ),

  gauge('chat_store_up', '1 while the database of --store can be reached.', ({ store }) =>
    flag(store.remote?.isUp),
  ),
  gauge(
    'chat_store_connections',
    'Open connections to the database of --store.',
    ({ store }) => store.remote?.connections,
  ),
  gauge('chat_store_connections_idle', 'Those of them that nobody uses.', ({ store }) => store.remote?.idle),
  gauge(
    'chat_store_connections_limit',
    'How many there may be (pool_max_conns in the URL).',
    ({ store }) => store.remote?.maxConnections,
  ),
  gauge(
    'chat_store_connections_waiting',
    'Transactions that wait for one.',
    ({ store }) => store.remote?.waiting,
  ),
  counter(
    'chat_store_connections_lost_total',
    'Connections to the database of --store that broke.',
    ({ store }) => store.remote?.lost,
  ),
  counter(
    'chat_store_retries_total',
    'Transactions that were run again because of others at the same time.',
    ({ store }) => store.remote?.retries,
  ),
  counter(
    'chat_store_unavailable_total',
    'Calls that the database of --store kept from being answered.',
    ({ store }) => store.remote?.unavailable,
  ),

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

  gauge('chat_password_workers', 'Threads for passwords, at most.', ({ passwords }) => passwords.workers),
  gauge('chat_password_workers_busy', 'Passwords that are being checked.', ({ passwords }) => passwords.busy),
  gauge('chat_password_queue', 'Passwords that wait for a thread.', ({ passwords }) => passwords.waiting),
  counter(
    'chat_password_refused_total',
    'Passwords that found no room to wait.',
    ({ passwords }) => passwords.refused,
  ),
  histogram(
    'chat_password_wait_seconds',
    'How long passwords waited for a thread.',
    ({ passwords }) => passwords.waitSeconds,
  ),

  gauge('chat_mail_queue', 'Mails that are not sent yet.', ({ mail }) => mail?.waiting),
  counter('chat_mails_sent_total', 'Mails handed to the mail server.', ({ mail }) => mail?.sent),
  counter('chat_mails_given_up_total', 'Mails that were not sent.', ({ mail }) => mail?.givenUp),

  gauge(
    'chat_audit_queue',
    'Entries of the audit trail that are not stored yet.',
    ({ chat }) => chat.auditWaiting,
  ),
  counter(
    'chat_audit_lost_total',
    'Entries of the audit trail that were left out for want of room.',
    ({ chat }) => chat.auditLost,
  ),

  gauge(
    'chat_backup_time_seconds',
    'When the newest backup in the directory for backups was made, in Unix time; absent when there is none.',
    ({ backups }) => seconds(backups?.newestAt),
  ),
  {
    name: 'chat_backups_total',
    help: 'Backups since the start, by outcome.',
    type: 'counter',
    read: ({ backups }) =>
      backups === undefined
        ? []
        : [
            { labels: { outcome: 'made' }, value: backups.made },
            { labels: { outcome: 'failed' }, value: backups.failed },
          ],
  },
  gauge(
    'chat_backup_free_bytes',
    'Free bytes on the disk for backups; absent before there is a directory for them.',
    ({ backups }) => backups?.freeBytes,
  ),
  {
    name: 'chat_certificate_expiry_time_seconds',
    help: "When the server's certificate for TLS, and the authority for certificates of people, expire, in Unix time.",
    type: 'gauge',
    read: ({ certificateUntil, authorityUntil }) => [
      { labels: { certificate: 'server' }, value: certificateUntil / 1_000 },
      { labels: { certificate: 'authority' }, value: authorityUntil / 1_000 },
    ],
  },
  gauge(
    'chat_loop_delay_p50_seconds',
    'By how much the event loop was late: half of the ticks less, in a window of five minutes.',
    ({ loopDelayP50 }) => loopDelayP50,
  ),
  gauge(
    'chat_loop_delay_p99_seconds',
    'The same: 99 % of the ticks less.',
    ({ loopDelayP99 }) => loopDelayP99,
  ),
  gauge(
    'chat_memory_available_bytes',
    'What the process may still take before the system, or its group, has no memory left.',
    ({ availableMemoryBytes }) => availableMemoryBytes,
  ),
];
