import { join } from 'node:path';
import type { Campaign, CommandLine, Course } from '../../../scripts/campaigns/campaign.ts';
import type { Fault } from './broken-server.ts';

const client: CommandLine = [process.execPath, 'dist/chat.mjs'];

/** A campaign's course on the built program, or on what is broken of it. */
export function courseOf(trials: number, seed: number, broken: Partial<Course> = {}): Course {
  return { trials, seed, client, server: [...client, 'serve'], ...broken };
}

/** In the environment of the tests: the directory of what is bundled for them (`scripts/bundled-breakers.ts`). */
export const breakersVariable = 'CHAT_TEST_BREAKERS';

/** What starts a program of those that break a promise; its flags follow. */
export function bundled(name: string): CommandLine {
  const directory = process.env[breakersVariable];
  if (directory === undefined) throw new Error(`nothing is bundled: ${breakersVariable} is not set`);
  return [process.execPath, join(directory, name)];
}

/** What starts a server with one part that breaks a promise, made of the sources. */
export function brokenServer(fault: Fault): CommandLine {
  return [...bundled('broken-server.mjs'), fault];
}

/** What starts a client whose durable tail moves its cursor too early, made of the sources. */
export function hastyClient(): CommandLine {
  return bundled('hasty-tail.mjs');
}

/** Where a campaign's kill may come at a moment at which nothing is broken yet: so many seeds are tried. */
const seedsTried = 5;

/** What a campaign finds broken, by the first seed from `course.seed` on by which it finds what is asked for, or by the last tried. */
export async function firstCaught(campaign: Campaign, course: Course, asked: RegExp): Promise<string> {
  let found = '';
  for (let seed = course.seed; seed < course.seed + seedsTried && !asked.test(found); seed++) {
    found = (await campaign.run({ ...course, seed })).broken.join('\n');
  }
  return found;
}
