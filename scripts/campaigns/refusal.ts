import { exitCodes } from '../../src/cli/exit-codes.ts';
import type { ChatError } from '../../src/core/errors.ts';
import { open } from './people.ts';
import type { ServerEnd } from './server-process.ts';

/** What is unclear about a server that did not start: it ends with an error's code, and its last words are one line that says why. */
export function clearRefusal(
  { code, signal, errors }: ServerEnd,
  expected: 'unavailable' | 'invalid' = 'unavailable',
): string[] {
  const broken: string[] = [];
  if (code !== exitCodes[expected])
    broken.push(`it ended with ${code ?? signal} instead of ${exitCodes[expected]}`);
  const words = errors.split('\n').filter((line) => line.startsWith('chat: '));
  if (words.length !== 1) broken.push(`it has said ${words.length} sentences of why: ${errors}`);
  if (/^ {4}at /m.test(errors)) broken.push(`it has shown its insides: ${errors}`);
  return broken;
}

/** What is unclear about the refusals of calls that cannot be taken now: there are some, each `unavailable`, with a text that fits. */
export function unclearRefusals(refusals: readonly ChatError[], text: RegExp): string[] {
  if (refusals.length === 0) return ['nobody was refused'];
  const others = refusals.filter((error) => error.code !== 'unavailable' || !text.test(error.message));
  return others[0] ? [`${others.length} refusals say otherwise: ${others[0].code} ${others[0].message}`] : [];
}

/** What is broken about reading, which works whatever becomes of writing. */
export async function readingFailures(port: number, token: string): Promise<string[]> {
  try {
    const connection = await open(port, token);
    await connection.call('message.history', { to: '#lobby', limit: 1 });
    await connection.close();
    return [];
  } catch (error) {
    return [`reading fails too: ${String(error)}`];
  }
}
