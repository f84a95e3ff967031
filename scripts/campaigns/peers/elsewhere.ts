import { execFileSync, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { layCable, spawnOwned } from '../leavings.ts';

/** Whom to bring where: to a place by its name, or to a door where it follows. */
export interface Errand {
  readonly count: number;
  readonly port: number;
  readonly isSecure: boolean;
  readonly token: string;
  readonly username: string;
  readonly place?: string;
  readonly door?: string;
}

/** What the peers' program is told: the errand, and the addresses of both ends. */
export interface PeersOrder extends Errand {
  readonly host: string;
  readonly from: string;
}

/** Peers on a network of their own. */
export interface PeersElsewhere {
  /** Takes their network away: nothing comes from them any more, no FIN and no RST, and nothing reaches them. */
  vanish(): void;
  /** Ends them, and their network. */
  end(): Promise<void>;
}

/** The name of the peers' end of the cable. */
const theirEnd = 'peers0';

let cables = 0;

/** Whether this process may make networks (root on Linux). */
export function canMakeNetworks(): boolean {
  const isRoot = process.platform === 'linux' && process.getuid?.() === 0;
  return (
    isRoot &&
    spawnSync('unshare', ['--net', 'ip', 'link', 'add', 'one', 'type', 'veth', 'peer', 'name', 'other'])
      .status === 0
  );
}

/**
 * Brings peers to a server from a network namespace of their own, which has a cable (veth) to this one. The namespace ends with the peers' process,
 * the cable is taken away with it, also when the campaign is interrupted.
 */
export async function peersElsewhere(errand: Errand): Promise<PeersElsewhere> {
  cables += 1;
  // RFC 2544 keeps these addresses for tests of networks: a block of four for each cable of each process.
  const block = `198.${18 + (process.pid % 2)}.${(process.pid >> 1) % 256}.`;
  const first = 4 * (cables % 64);
  const [host, from] = [`${block}${first + 1}`, `${block}${first + 2}`];
  const ours = `peers${process.pid % 100_000}.${cables % 1_000}`;
  const order: PeersOrder = { ...errand, host, from };
  const program = fileURLToPath(new URL('./peers-program.ts', import.meta.url));
  const child = spawnOwned(['unshare', '--net', process.execPath, program, JSON.stringify(order)]);
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    errors += chunk;
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const expectLine = async (line: string): Promise<void> => {
    const { value } = await lines.next();
    if (value !== line) throw new Error(`the peers elsewhere say ${value ?? 'nothing'}: ${errors}`);
  };
  const there = ['nsenter', '--target', String(child.pid), '--net'];
  let removeCable = (): void => {};
  const end = async (): Promise<void> => {
    child.kill('SIGKILL');
    await closed;
    removeCable();
  };
  try {
    await expectLine('in their network');
    removeCable = layCable(ours, theirEnd, child.pid ?? 0);
    run(`ip address add ${host}/30 dev ${ours}`);
    run(`ip link set ${ours} up`);
    run(`ip address add ${from}/30 dev ${theirEnd}`, there);
    run(`ip link set ${theirEnd} up`, there);
    await expectLine('arrived');
  } catch (error) {
    await end();
    throw error;
  }
  return { vanish: () => run(`ip link set ${theirEnd} down`, there), end };
}

function run(command: string, before: readonly string[] = []): void {
  const [program = '', ...args] = [...before, ...command.split(' ')];
  execFileSync(program, args, { stdio: 'pipe' });
}
