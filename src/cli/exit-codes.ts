import type { ErrorCode } from '../core/errors.ts';
import type { EndSignal } from './host.ts';

/** How a process that did its work ends. */
export const exitOk = 0;
/** How a process ends that a signal ended: 128 and the signal's number, as shells count. */
export const exitBySignal = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const satisfies Readonly<
  Record<EndSignal, number>
>;

/** Every error's exit code; total, so that a new error code does not compile before it has one (protocol, "Errors"). */
export const exitCodes: Readonly<Record<ErrorCode, number>> = {
  internal: 1,
  invalid: 2,
  'too-large': 2,
  unsupported: 2,
  unavailable: 3,
  unauthenticated: 4,
  forbidden: 5,
  'not-found': 6,
  conflict: 7,
  'rate-limited': 8,
  untrusted: 9,
  timeout: 10,
  'second-factor-required': 11,
};

/** What each exit code means, in lines that fit beside it. */
export const exitCodeMeanings: readonly (readonly [code: number, ...lines: string[]])[] = [
  [0, 'done; for send: the server has stored it'],
  [1, "a bug; the server's log has it under the id shown. For tail: the --exec command failed"],
  [2, 'the command, its input, its output or its own files do not fit'],
  [3, 'no server there, or it cannot serve now; admin check: damage'],
  [4, 'not logged in, or wrong credentials'],
  [5, 'known, but not allowed'],
  [6, 'not found'],
  [7, 'taken already, or not possible as things are'],
  [8, 'too often; try again later'],
  [
    9,
    "the server's key is unknown or has changed, or somebody's keys have; a private message that cannot",
    'be encrypted or did not hold; admin audit --verify: the trail is not intact',
  ],
  [10, 'tail --timeout ended before the end or before --count'],
  [11, 'a second factor is required (--otp)'],
  [129, 'its terminal has gone (SIGHUP)'],
  [130, 'ended by Ctrl-C (SIGINT)'],
  [143, 'ended by SIGTERM'],
];

/** The table that every `--help` ends with. */
export const exitCodeHelp = [
  'Exit codes:',
  ...exitCodeMeanings.map(
    ([code, ...lines]) => `${String(code).padStart(4)}  ${lines.join(`\n${' '.repeat(6)}`)}`,
  ),
].join('\n');
