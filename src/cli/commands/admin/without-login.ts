import { parseUsername, type Username } from '../../../core/model/username.ts';
import type { Recovery } from '../../../server/account-recovery.ts';
import type { CommandContext } from '../../command.ts';
import { type OptionTable, refuseBoth, usageError } from '../../options.ts';
import { ownProofOptions } from './with-own-proof.ts';

/** The flags of what an administrator does with a fresh proof, and whoever has all that the server has without one. */
export const recoveryOptions = {
  ...ownProofOptions,
  data: {
    type: 'text',
    value: 'DIR',
    complete: 'file',
    describe:
      "do it on the server's machine, in the data directory of a server that is stopped, without a login",
  },
  'cluster-secret': {
    type: 'text',
    value: 'FILE',
    complete: 'file',
    describe:
      'do it in the database of CHAT_STORE, without a login, with the file that chat serve --cluster-secret has',
  },
  store: {
    type: 'text',
    value: 'URL',
    env: 'CHAT_STORE',
    describe:
      'with --cluster-secret: the database, as chat serve takes it; one with a password only by the variable',
  },
} as const satisfies OptionTable;

/** What was typed, as far as it says where to do it. */
interface Args {
  readonly operands: readonly string[];
  readonly options: {
    readonly data?: string | undefined;
    readonly store?: string | undefined;
    readonly 'cluster-secret'?: string | undefined;
  };
}

/**
 * Does to the account that the operand names what `work` does, in the data directory of a server that does not run, or in the database of one
 * that may; undefined when neither is asked for. CHAT_STORE alone asks for nothing: it may be set for a server.
 */
export async function withoutLogin<Result>(
  { operands, options }: Args,
  { host }: CommandContext,
  work: (recovery: Recovery, username: Username) => Promise<Result>,
): Promise<Result | undefined> {
  const { data, store, 'cluster-secret': secretFile } = options;
  const isStoreTyped = store !== undefined && store !== host.env.CHAT_STORE;
  if (data === undefined && secretFile === undefined) {
    if (isStoreTyped) throw usageError('--store needs --cluster-secret FILE too', '--cluster-secret');
    return undefined;
  }
  const username = parseUsername((operands[0] ?? '').replace(/^@/, ''), 'USER');
  const way = data === undefined ? 'cluster-secret' : 'data';
  for (const name of ['otp', 'password-stdin', 'password-file'])
    refuseBoth(options, way, name, 'nobody logs in there');
  if (data !== undefined) {
    const elsewhere = 'a server has its accounts in one place';
    refuseBoth(options, 'data', 'cluster-secret', elsewhere);
    if (isStoreTyped) refuseBoth(options, 'data', 'store', elsewhere);
    const { recoverIn } = await import('../../../server/recovery.ts');
    return await recoverIn(data, (recovery) => work(recovery, username));
  }
  if (store === undefined)
    throw usageError(
      '--cluster-secret needs the database too: set CHAT_STORE, or give --store URL',
      '--store',
    );
  const [{ checkSetting, checkShown }, { settings }] = await Promise.all([
    import('../../../server/check-setting.ts'),
    import('../../../server/settings.ts'),
  ]);
  if (isStoreTyped) checkShown(settings.store, '--store', store);
  else checkSetting(settings.store, 'CHAT_STORE', store);
  const { recoverOver } = await import('../../../server/cluster/recover-over.ts');
  return await recoverOver({ store, secretFile: secretFile ?? '' }, (recovery) => work(recovery, username));
}
