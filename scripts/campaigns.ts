/**
 * `npm run campaigns [-- NAME …] [--trials N] [--seed S] [--only WORDS]`: breaks the built server's surroundings on purpose and looks whether its promises
 * hold (docs/campaigns.md). All campaigns unless some are named; `--help` lists them. Ends with 1 when a promise was broken or a campaign failed itself,
 * with 2 for words it does not know, and as the signal says that ended it; nothing that it started runs on.
 */
import { constants } from 'node:os';
import { parseArgs } from 'node:util';
import { type Campaign, type CommandLine, reportLine, seedWords } from './campaigns/campaign.ts';
import { clearLeavings } from './campaigns/leavings.ts';
import { campaigns } from './campaigns/list.ts';

/** Sentences of one campaign that are shown; the last line has the number of all. */
const shown = 20;

const usage = `usage: npm run campaigns [-- NAME ...] [--trials N] [--seed S] [--only WORDS]

  --trials N     so many of each campaign, instead of its own number
  --seed S       makes the choices of an earlier run again
  --only WORDS   the kinds of faults alone that have these words in their name`;

const { values, positionals } = wordsOf(process.argv.slice(2));
const { only } = values;
if (values.help) {
  console.log(`${usage}\n\ncampaigns, all of them unless some are named:\n${listOf(only !== undefined)}`);
  process.exit(0);
}
const seed = values.seed === undefined ? Date.now() % 1_000_000_000 : wholeNumber(values.seed);
const trials = values.trials === undefined ? undefined : wholeNumber(values.trials);
const unknown = positionals.filter((name) => !Object.hasOwn(campaigns, name));
const named = Object.entries(campaigns).filter(
  ([name]) => positionals.length === 0 || positionals.includes(name),
);
const chosen = named.filter(
  ([, { kinds = [] }]) => only === undefined || kinds.some((kind) => kind.includes(only)),
);
if (unknown.length > 0) refuse(`no such campaign: ${unknown.join(', ')}`);
if (!Number.isSafeInteger(seed)) refuse('--seed is no whole number');
if (trials !== undefined && !(Number.isSafeInteger(trials) && trials > 0))
  refuse('--trials is no whole number above 0');
if (chosen.length === 0) refuse(`--only: no kind of fault has "${only}" in its name`);
// Who names one means it: it is not left out without a word.
const [without] = named.filter((campaign) => !chosen.includes(campaign));
if (positionals.length > 0 && without)
  refuse(`--only: no kind of fault of ${without[0]} has "${only}" in its name`);

for (const [name, campaign] of chosen) await run(name, campaign);

function wordsOf(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const options = { trials: text, seed: text, only: text, help: { type: 'boolean', short: 'h' } } as const;
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options });
  } catch (error) {
    // Its first sentence says what is wrong, the others what else there is in general.
    const [sentence = ''] = (error as Error).message.split(/\.?(?:\s*\n|\. |$)/);
    return refuse(`${sentence.charAt(0).toLowerCase()}${sentence.slice(1)}`);
  }
}

/** What a number is that is spelled; NaN for anything else, nothing at all included. */
function wholeNumber(spelled: string): number {
  return spelled.trim() === '' ? Number.NaN : Number(spelled);
}

/** Says in one sentence what is wrong, and what there is. */
function refuse(problem: string): never {
  console.error(`${problem}; there are\n${listOf(process.argv.some((word) => word.startsWith('--only')))}`);
  process.exit(2);
}

function listOf(withKinds: boolean): string {
  return Object.entries(campaigns)
    .flatMap(([name, { about, kinds = [] }]) => [
      `  ${name.padEnd(14)} ${about}`,
      ...(withKinds && kinds.length > 0 ? [`    ${kinds.join('; ')}`] : []),
    ])
    .join('\n');
}

async function run(name: string, campaign: Campaign): Promise<void> {
  const client: CommandLine = [process.execPath, 'dist/chat.mjs'];
  const seedSaid = campaign.isSeedless ? undefined : seed;
  let done = 0;
  const stopped = (why: string): void => {
    console.log(`${name}: ${[`${why} after ${done} trials`, ...seedWords(seedSaid)].join(', ')}`);
    process.exitCode = 1;
  };
  const interrupt = (signal: NodeJS.Signals): void => {
    stopped(`ended by ${signal}`);
    process.exit(128 + constants.signals[signal]);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, interrupt);
  try {
    const result = await campaign.run({
      trials: trials ?? campaign.trials,
      seed,
      client,
      server: [...client, 'serve'],
      ...(only !== undefined && { only }),
      onTrial(line, made = 1) {
        console.log(`${name}: ${line}`);
        done += made;
      },
    });
    for (const sentence of result.broken.slice(0, shown)) console.log(`  ${sentence}`);
    console.log(reportLine(name, result, seedSaid));
    if (result.broken.length > 0) process.exitCode = 1;
  } catch (error) {
    console.error(error);
    stopped('the campaign itself has failed');
  } finally {
    for (const signal of signals) process.off(signal, interrupt);
    clearLeavings();
  }
}
