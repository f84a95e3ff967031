import { command } from '../../command.ts';
import { exitOk } from '../../exit-codes.ts';
import { usageError } from '../../options.ts';
import { movedLines, progressText } from './moved.ts';

/** Writes what an embedded server keeps into a directory, from which `admin import-store` takes it. */
export const exportStore = command({
  usage: ['admin export-store DIRECTORY --data DIR [--from FILE]'],
  description:
    'Writes all that the stopped server of a data directory keeps into DIRECTORY, for chat admin import-store, which puts it into PostgreSQL: ' +
    'every table, and the keys by which clients know the server. Prints for each table how many rows it has and the SHA-256 over them. The data directory stays as it is.\n\n' +
    'When it was interrupted, run the same again: it goes on. Whoever can read DIRECTORY has all that the server knows: it is for its owner alone, and to be removed after the import.',
  options: {
    data: {
      type: 'text',
      value: 'DIR',
      complete: 'file',
      describe: 'the data directory of the server, which must be stopped unless --from is given',
    },
    from: {
      type: 'text',
      value: 'FILE',
      complete: 'file',
      describe:
        'take the rows of this backup, while the server runs: to try it; what came later stays behind',
    },
  },
  operands: { min: 1, max: 1, names: 'DIRECTORY', complete: ['file'] },
  examples: [
    ['chat admin export-store /var/tmp/move --data /var/lib/chat', 'everything, of a server that is stopped'],
    [
      'chat admin export-store /var/tmp/try --data /var/lib/chat --from /srv/backups/chat-20261121T153002Z-3f9a01.db',
      'a trial with a backup, beside the server',
    ],
  ],
  async run({ operands: [directory = ''], options: { data, from } }, { host, output }) {
    if (data === undefined)
      throw usageError('admin export-store needs --data DIR, the data directory', '--data');
    const moving = await import('../../../server/moving/export-store.ts');
    const startedAt = performance.now();
    const notes: Promise<void>[] = [];
    try {
      const report = await moving.exportStore({
        directory,
        data,
        from,
        version: await host.version(),
        now: host.now(),
        onProgress: (progress) =>
          output.progress(() => progressText(progress, performance.now() - startedAt)),
        onNote: (text) => void notes.push(output.note(text)),
      });
      output.progress(undefined);
      await Promise.all(notes);
      await output.result({ directory, ...report }, movedLines(report, host.stdout));
      return exitOk;
    } finally {
      output.progress(undefined);
    }
  },
});
