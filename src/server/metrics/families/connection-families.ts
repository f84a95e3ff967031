import { counter, type Family, gauge } from './family.ts';

/** Connections, and the bytes that they carry. */
export const connectionFamilies: readonly Family[] = [
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
];
