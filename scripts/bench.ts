/**
 * `npm run bench [-- NAME …] [--json FILE]`: measures the built server, each figure beside its floor of the same run.
 * Absolute figures drift with the machine and the hour; the ratios are what counts.
 */
import { writeFileSync } from 'node:fs';
import { commands } from './bench/commands.ts';
import { doors } from './bench/doors.ts';
import { fanOut } from './bench/fan-out.ts';
import { type Figure, openLab, type Workload } from './bench/lab.ts';
import { loginStorm } from './bench/login-storm.ts';
import { logins } from './bench/logins.ts';
import { seal } from './bench/seal.ts';
import { sends } from './bench/sends.ts';

const workloads: Readonly<Record<string, Workload>> = {
  sends,
  'fan-out': fanOut,
  logins,
  doors,
  'login-storm': loginStorm,
  commands,
  seal,
};

function row({ name, unit, value, floor, rounds, note }: Figure): string {
  const number = (n: number): string => (n >= 100 ? Math.round(n).toLocaleString('en') : n.toPrecision(3));
  const ratio = rounds
    ? `${rounds.ratio.median.toFixed(2)} (${rounds.ratio.least.toFixed(2)}–${rounds.ratio.most.toFixed(2)})`
    : floor && (value / floor.value).toFixed(2);
  const beside = floor ? `${ratio} × ${floor.name} (${number(floor.value)} ${unit})` : '';
  return `${name.padEnd(68)} ${`${number(value)} ${unit}`.padStart(16)}   ${beside}${note ? `  ${note}` : ''}`;
}

const args = process.argv.slice(2);
const jsonAt = args.indexOf('--json');
const jsonFile = jsonAt < 0 ? undefined : args.splice(jsonAt, 2)[1];
const unknown = args.filter((name) => !(name in workloads));
if (unknown.length > 0) {
  console.error(`no such workload: ${unknown.join(', ')}; there are ${Object.keys(workloads).join(', ')}`);
  process.exit(2);
}

const figures: Figure[] = [];
for (const [name, workload] of Object.entries(workloads)) {
  if (args.length > 0 && !args.includes(name)) continue;
  const lab = await openLab();
  try {
    for (const figure of await workload(lab)) {
      console.log(row(figure));
      figures.push(figure);
    }
  } finally {
    await lab.stop();
  }
}
if (jsonFile !== undefined) writeFileSync(jsonFile, `${JSON.stringify(figures, undefined, 2)}\n`);
