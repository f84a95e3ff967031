import { within } from './peers/peer.ts';
import type { ServerEnd } from './server-process.ts';

/** A server that is well answers somebody within this time, in milliseconds, on a slow machine too. */
export const servedMs = 20_000;

/** What is broken when somebody waits for a first answer for too long; otherwise nothing, as soon as it comes. */
export async function unservedAfter(served: Promise<unknown>, ms = servedMs): Promise<string[]> {
  let isServed = false;
  await within(
    served.then(() => {
      isServed = true;
    }),
    ms,
  );
  return isServed ? [] : [`nothing was acknowledged within ${ms} ms`];
}

/** What is broken about an end that was to come by a signal: SIGTERM ends in order, with 0, and nothing can be done about SIGKILL. */
export function ownEnd({ code, signal, errors }: ServerEnd, sent: 'SIGKILL' | 'SIGTERM'): string[] {
  const isExpected = sent === 'SIGTERM' ? code === 0 : signal === 'SIGKILL';
  return isExpected ? [] : [`the server ended by itself, with ${code ?? signal}, amid ${sent}: ${errors}`];
}
