import { counter, type Family, gauge, histogram, seconds } from './family.ts';

/** What is done besides (passwords, mails, the audit trail, backups), and what runs out. */
export const upkeepFamilies: readonly Family[] = [
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
