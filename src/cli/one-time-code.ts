import type { ChatError } from '../core/errors.ts';
import type { CommandContext } from './command.ts';
import { canPrompt } from './host.ts';
import type { OptionTable } from './options.ts';

/** The flag by which a command takes the second factor's code. It is worth nothing once it was used, so that it may be an argument. */
export const otpOption = {
  otp: {
    type: 'text',
    value: 'CODE',
    describe: "the second factor's one-time code, or a recovery code; asked for at a terminal",
  },
} as const satisfies OptionTable;

/** Asks the person for a code, after saying why the one before was refused; undefined in a script. */
export function codePrompt(context: CommandContext): ((refused?: ChatError) => Promise<string>) | undefined {
  const { host, output } = context;
  if (!canPrompt(host)) return undefined;
  return async (refused) => {
    output.progress(undefined);
    if (refused) await output.log(refused.message);
    return (await host.prompts.text('One-time code')).trim();
  };
}
