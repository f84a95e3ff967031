import { it } from 'vitest';
import { fuzzConnections, linesPerConnection } from '../../../scripts/campaigns/fuzz/sessions.ts';
import { fuzzSlashes } from '../../../scripts/campaigns/fuzz/slash.ts';
import { fuzz, fuzzInputs } from './support/fuzz.ts';

it(`the slash door answers ${fuzzInputs} lines of nonsense and sense each once and in order, and still serves`, async () => {
  await fuzz('slash', fuzzSlashes, { perRound: fuzzConnections * linesPerConnection, share: 0.6 });
}, 600_000);
