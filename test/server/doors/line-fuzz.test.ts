import { it } from 'vitest';
import { fuzzLines } from '../../../scripts/campaigns/fuzz/line.ts';
import { fuzzConnections, linesPerConnection } from '../../../scripts/campaigns/fuzz/sessions.ts';
import { fuzz, fuzzInputs } from './support/fuzz.ts';

it(`the line door answers ${fuzzInputs} lines of nonsense and sense each once, under their ids, and still serves`, async () => {
  await fuzz('line', fuzzLines, { perRound: fuzzConnections * linesPerConnection, share: 0.6 });
}, 600_000);
