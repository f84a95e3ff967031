import { fileURLToPath } from 'node:url';
import type { CommandLine, Course } from '../../../scripts/campaigns/campaign.ts';
import type { Fault } from './broken-server.ts';

const client: CommandLine = [process.execPath, 'dist/chat.mjs'];

/** A campaign's course on the built program, or on what is broken of it. */
export function courseOf(trials: number, seed: number, broken: Partial<Course> = {}): Course {
  return { trials, seed, client, server: [...client, 'serve'], ...broken };
}

/** What starts a server with one part that breaks a promise, made of the sources. */
export function brokenServer(fault: Fault): CommandLine {
  return [process.execPath, fileURLToPath(new URL('./broken-server.ts', import.meta.url)), fault];
}
