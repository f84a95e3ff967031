import { commands } from './commands.ts';
import { doors } from './doors.ts';
import { fanOut } from './fan-out.ts';
import { history } from './history.ts';
import { idleConnections } from './idle-connections.ts';
import { loginStorm } from './login-storm.ts';
import { logins } from './logins.ts';
import { nodes } from './nodes.ts';
import { openLoop } from './open-loop.ts';
import { programs } from './programs.ts';
import { recovery } from './recovery.ts';
import { roundTrip } from './round-trip.ts';
import { seal } from './seal.ts';
import { sends } from './sends.ts';
import { sendsBySize } from './sends-by-size.ts';
import { startBySize } from './start-by-size.ts';
import type { Workload } from './workload.ts';

/** Every workload, in the order in which they run. */
export const workloads: readonly Workload[] = [
  sends,
  fanOut,
  openLoop,
  roundTrip,
  logins,
  doors,
  loginStorm,
  commands,
  programs,
  seal,
  startBySize,
  sendsBySize,
  idleConnections,
  recovery,
  history,
  nodes,
];
