import fc from 'fast-check';
import { expect } from 'vitest';
import type { FuzzedDoor, FuzzTarget } from '../../../../scripts/campaigns/fuzz/sessions.ts';
import { FakePeer } from '../../../core/support/chat.ts';
import { type ChatAtPort, chatAtPort } from './real-chat.ts';

/** How many lines each door is given: `CHAT_FUZZ_INPUTS`, or so many that `npm test` stays short. */
export const fuzzInputs = Number(process.env.CHAT_FUZZ_INPUTS ?? 5_000);
/** `CHAT_FUZZ_SEED` repeats a run; it is printed by every run. */
const fuzzSeed = Number(process.env.CHAT_FUZZ_SEED ?? Date.now() % 0x7fff_ffff);

/** What a run has to come to. */
interface Enough {
  /** Lines or requests of one round, over all connections. */
  readonly perRound: number;
  /** So many of all must have met an open connection, or it shows little. */
  readonly share: number;
}

/** Fuzzes a door of a chat in this process, round after round. */
export async function fuzz<Round>(
  name: string,
  prepare: (target: FuzzTarget) => Promise<FuzzedDoor<Round>>,
  { perRound, share }: Enough,
): Promise<void> {
  console.info(`${name} fuzz: CHAT_FUZZ_SEED=${fuzzSeed}`);
  const at = await chatAtPort();
  const door = await prepare(targetOf(at));
  let checked = 0;
  await fc.assert(
    fc.asyncProperty(door.rounds, async (round) => {
      checked += await door.play(round);
    }),
    // A failure is not made smaller: what happened hangs on what came before, which no smaller run has.
    { seed: fuzzSeed, numRuns: Math.ceil(fuzzInputs / perRound), endOnFailure: true },
  );
  expect([at.failures, at.t.failures]).toEqual([[], []]);
  expect(checked).toBeGreaterThan(share * fuzzInputs);
}

function targetOf({ port, register, t }: ChatAtPort): FuzzTarget {
  return {
    port,
    register,
    salt: (username) => t.call(new FakePeer(), 'login.salt', { username }),
    async logIn(username, password) {
      const peer = new FakePeer();
      const opened = await t.call(peer, 'login.password', { username, password });
      peer.leave();
      return opened;
    },
  };
}
