import { command } from '../../command.ts';
import { exitOk } from '../../exit-codes.ts';
import { usageError } from '../../options.ts';
import { movedLines, progressText } from './moved.ts';

/** Puts what `admin export-store` has written into a database on PostgreSQL. */
export const importStore = command({
  usage: ['admin import-store DIRECTORY --store URL --cluster-secret FILE'],
  description:
    'Puts what chat admin export-store has written into an empty database on PostgreSQL, on which chat serve --store then goes on as the same server: ' +
    'the same accounts, sessions and messages, and the same keys, sealed under the cluster secret. Reads everything back and compares it with the export before a server may start on it. ' +
    'Prints for each table how many rows it has and the SHA-256 over them.\n\n' +
    'When it was interrupted, run the same again: it goes on.',
  options: {
    store: {
      type: 'text',
      value: 'URL',
      env: 'CHAT_STORE',
      describe: 'the database, as chat serve takes it; one with a password only by the variable',
    },
    'cluster-secret': {
      type: 'text',
      value: 'FILE',
      complete: 'file',
      env: 'CHAT_CLUSTER_SECRET',
      describe: 'what all nodes of the server know and nobody else, as chat serve takes it',
    },
  },
  operands: { min: 1, max: 1, names: 'DIRECTORY', complete: ['file'] },
  examples: [
    [
      'chat admin import-store /var/tmp/move --store postgres:///chat?host=/run/postgresql --cluster-secret /etc/chat/secret',
      'into the database chat on this machine',
    ],
  ],
  async run({ operands: [directory = ''], options }, { host, output }) {
    const { store, 'cluster-secret': clusterSecret } = options;
    if (store === undefined)
      throw usageError('admin import-store needs --store URL, or CHAT_STORE', '--store');
    if (clusterSecret === undefined)
      throw usageError('admin import-store needs --cluster-secret FILE', '--cluster-secret');
    const [{ checkSetting, checkShown }, { settings }] = await Promise.all([
      import('../../../server/check-setting.ts'),
      import('../../../server/settings.ts'),
    ]);
    if (store === host.env.CHAT_STORE) checkSetting(settings.store, 'CHAT_STORE', store);
    else checkShown(settings.store, '--store', store);
    const moving = await import('../../../server/moving/import-store.ts');
    const startedAt = performance.now();
    try {
      const report = await moving.importStore({
        directory,
        store,
        clusterSecret,
        onProgress: (progress) =>
          output.progress(() => progressText(progress, performance.now() - startedAt)),
      });
      output.progress(undefined);
      await output.result({ directory, ...report }, movedLines(report, host.stdout));
      return exitOk;
    } finally {
      output.progress(undefined);
    }
  },
});
