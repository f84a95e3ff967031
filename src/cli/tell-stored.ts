import type { CommandContext } from './command.ts';
import { BrokenPipe } from './host.ts';

/** Tells about a stored message with `-o json`; a reader that has gone does not stop the sending. */
export async function tellStored({ output }: CommandContext, record: object): Promise<void> {
  if (output.format !== 'json') return;
  try {
    await output.result(record, []);
  } catch (error) {
    if (!(error instanceof BrokenPipe)) throw error;
  }
}
