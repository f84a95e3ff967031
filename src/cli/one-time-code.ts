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

/** Asks the person for a code; undefined in a script. */
export function codePrompt(context: CommandContext): (() => Promise<string>) | undefined {
  const { host, output } = context;
  if (!canPrompt(host)) return undefined;
  return async () => {
    output.progress(undefined);
    return (await host.prompts.text('One-time code')).trim();
  };
}
