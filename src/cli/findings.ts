import type { ErrorCode } from '../core/errors.ts';
import { escapeForTerminal } from './escape.ts';
import { exitCodes, exitOk } from './exit-codes.ts';
import type { Host } from './host.ts';
import type { Output } from './output.ts';

/** One thing that was looked at, and how it is. */
export interface Finding {
  readonly check: string;
  readonly status: 'ok' | 'warn' | 'fail';
  /** What is, and what to do when it should not be so. */
  readonly message: string;
  /** Of a `fail`: what the process ends with. */
  readonly code?: ErrorCode;
}

/** Wide enough for the names of checks, so that a line can be printed before the next one is known. */
const checkWidth = 12;

/** The finding as a line: aligned on a terminal, separated by tabs in a script, and escaped. */
function findingLine({ status, check, message }: Finding, host: Host): string {
  const text = escapeForTerminal(message);
  return host.stdout.isTerminal
    ? `${status.padEnd(4)}  ${check.padEnd(checkWidth)}  ${text}`
    : `${status}\t${check}\t${text}`;
}

/** Prints a finding as it is found. */
export async function printFinding(output: Output, host: Host, finding: Finding): Promise<void> {
  await output.result(finding, findingLine(finding, host));
}

/** 0 when nothing fails, otherwise what the first failure ends a process with. */
export function exitCodeOfFindings(findings: readonly Finding[]): number {
  const failure = findings.find(({ status }) => status === 'fail');
  return failure === undefined ? exitOk : exitCodes[failure.code ?? 'internal'];
}
