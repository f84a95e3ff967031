import { counter, type Family, flag, gauge, histogram, seconds } from './family.ts';

/** The store, in a file or over PostgreSQL. */
export const storeFamilies: readonly Family[] = [
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
];
