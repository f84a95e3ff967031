import { parseUsername } from '../../../core/model/username.ts';
import { certificateRow } from '../../certificate-row.ts';
import { type Command, command } from '../../command.ts';
import { exitOk } from '../../exit-codes.ts';
import { callTimeoutMs, withSession } from '../../session.ts';
import { tableLines } from '../../table.ts';

const nameOf = (operand = ''): string => parseUsername(operand.replace(/^@/, ''), 'USER');

const revoke: Command = command({
  usage: ['admin certificates revoke USER ID'],
  description:
    'Lets nobody log in with a certificate any more, for ever, and ends the sessions that were opened with it. An account that has no other ' +
    'way in gets a code with chat admin reset.',
  options: {},
  operands: { min: 2, max: 2, names: 'USER and ID', complete: ['user'] },
  examples: [['chat admin certificates revoke bob $id', 'ID as chat admin certificates prints it']],
  async run({ operands }, context) {
    const username = nameOf(operands[0]);
    const id = operands[1] ?? '';
    return await withSession(context, async ({ connection }) => {
      const answer = await connection.call(
        'admin.revoke-certificate',
        { username, id },
        { timeoutMs: callTimeoutMs },
      );
      const { length } = answer.ended_sessions;
      await context.output.note(
        `revoked a certificate of ${username}, and ended ${length === 1 ? '1 session' : `${length} sessions`} that it had opened`,
      );
      if (context.output.format === 'json')
        await context.output.result({ username, certificate: id, ...answer }, []);
      return exitOk;
    });
  },
});

/** Lists the certificates of an account, and revokes them. */
export const certificates = command({
  usage: ['admin certificates USER', 'admin certificates revoke USER ID'],
  description:
    'Prints the certificates that an account logs in with: id, name, kind, fingerprint of the key, beginning, last use and end (UTC), and whether ' +
    'it is revoked. Columns are separated by a tab in a script.',
  options: {},
  operands: { min: 1, max: 1, names: 'USER', complete: ['user'] },
  examples: [['chat admin certificates bob -o json', 'one object a certificate']],
  subcommands: [{ name: 'revoke', summary: 'let nobody log in with one any more', load: async () => revoke }],
  async run({ operands }, context) {
    const username = nameOf(operands[0]);
    return await withSession(context, async ({ connection }) => {
      const answer = await connection.call('admin.certificates', { username }, { timeoutMs: callTimeoutMs });
      const lines = tableLines(answer.certificates.map(certificateRow), context.host.stdout);
      for (const [index, certificate] of answer.certificates.entries())
        await context.output.result(certificate, lines[index] ?? '');
      return exitOk;
    });
  },
});
