import { it } from 'vitest';
import { fuzzHttp, requestsPerConnection } from '../../../scripts/campaigns/fuzz/http.ts';
import { fuzzConnections } from '../../../scripts/campaigns/fuzz/sessions.ts';
import { fuzz, fuzzInputs } from './support/fuzz.ts';

it(`HTTP answers ${fuzzInputs} requests of nonsense and sense each once and in order, and still serves`, async () => {
  await fuzz('http', fuzzHttp, { perRound: fuzzConnections * requestsPerConnection, share: 0.4 });
}, 600_000);
