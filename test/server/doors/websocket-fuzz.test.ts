import { it } from 'vitest';
import { fuzzConnections, linesPerConnection } from '../../../scripts/campaigns/fuzz/sessions.ts';
import { fuzzWebSockets } from '../../../scripts/campaigns/fuzz/websocket.ts';
import { fuzz, fuzzInputs } from './support/fuzz.ts';

it(`the WebSocket door answers ${fuzzInputs} messages of nonsense and sense each once, to whom they came from, and still serves`, async () => {
  await fuzz('websocket', fuzzWebSockets, { perRound: fuzzConnections * linesPerConnection, share: 0.5 });
}, 600_000);
