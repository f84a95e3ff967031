import type { Campaign } from './campaign.ts';
import { clockJumps } from './clock-jumps.ts';
import { cluster } from './cluster.ts';
import { clusterStore } from './cluster-store.ts';
import { crashPoints } from './crash-points.ts';
import { damage } from './damage.ts';
import { diskErrors } from './disk-errors.ts';
import { durableTail } from './durable-tail.ts';
import { envelopes } from './envelopes.ts';
import { floods } from './floods.ts';
import { fullDisk } from './full-disk.ts';
import { fuzz } from './fuzz.ts';
import { halfOpen } from './half-open.ts';
import { nonsense } from './nonsense.ts';
import { oversize } from './oversize.ts';
import { powerCut } from './power-cut.ts';
import { sigkill } from './sigkill.ts';
import { slowFollowers } from './slow-followers.ts';
import { slowPeers } from './slow-peers.ts';
import { slowReaders } from './slow-readers.ts';
import { soak } from './soak.ts';

/** Every campaign, by its name on the command line. */
export const campaigns: Readonly<Record<string, Campaign>> = {
  sigkill,
  'crash-points': crashPoints,
  'power-cut': powerCut,
  'disk-errors': diskErrors,
  'full-disk': fullDisk,
  damage,
  'slow-peers': slowPeers,
  oversize,
  nonsense,
  fuzz,
  floods,
  'half-open': halfOpen,
  'clock-jumps': clockJumps,
  'slow-readers': slowReaders,
  'slow-followers': slowFollowers,
  soak,
  'durable-tail': durableTail,
  envelopes,
  cluster,
  'cluster-store': clusterStore,
};
