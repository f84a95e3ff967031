import { it } from 'vitest';
import { fuzzPipes } from '../../../scripts/campaigns/fuzz/pipe.ts';
import { fuzzConnections, linesPerConnection } from '../../../scripts/campaigns/fuzz/sessions.ts';
import { fuzz, fuzzInputs } from './support/fuzz.ts';

it(`the pipe door answers ${fuzzInputs} lines of nonsense and sense each once and in order, and still serves`, async () => {
  await fuzz('pipe', fuzzPipes, { perRound: fuzzConnections * linesPerConnection, share: 0.6 });
}, 600_000);
