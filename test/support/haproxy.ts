import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePorts } from './free-ports.ts';

/** Where a node is reached: by people, and by the balancer's checks. */
export interface BalancedNode {
  readonly port: number;
  readonly metricsPort: number;
}

/** HAProxy with the configuration of `deploy/`, on 127.0.0.1. */
export interface Balancer {
  readonly port: number;
  /** Whether it passes connections on to a node, by its index. */
  isUp(node: number): Promise<boolean>;
  /** Waits until it does; a test that waits in vain runs out of its own time. */
  whenUp(node: number): Promise<void>;
  close(): Promise<void>;
}

const program = (process.env.PATH ?? '')
  .split(':')
  .concat('/usr/sbin')
  .map((directory) => join(directory, 'haproxy'))
  .find((path) => existsSync(path));

/** True where one can be started. */
export const hasHaproxy = (): boolean => program !== undefined;

/** Starts it over as many nodes as `deploy/haproxy.cfg` names; resolves when it takes connections. Only addresses are other ones, and how many may come. */
export async function startHaproxy(nodes: readonly BalancedNode[]): Promise<Balancer> {
  if (program === undefined) throw new Error('no haproxy is installed here');
  const directory = mkdtempSync(join(tmpdir(), 'chat-haproxy-'));
  const [port = 0, healthPort = 0] = await freePorts(2);
  const socket = join(directory, 'stats');
  let named = 0;
  const config = readFileSync(resolve('deploy/haproxy.cfg'), 'utf8')
    .replace('bind :8080', `bind 127.0.0.1:${port}`)
    .replace('bind :8404', `bind 127.0.0.1:${healthPort}`)
    .replace(/maxconn \d+/, 'maxconn 200')
    .replace('global\n', `global\n    stats socket ${socket} level admin\n`)
    .replace(/^( {4}server \S+) \S+ port \d+$/gm, (_, server: string) => {
      const node = nodes[named++];
      return `${server} 127.0.0.1:${node?.port} port ${node?.metricsPort}`;
    });
  if (named !== nodes.length) throw new Error(`deploy/haproxy.cfg names ${named} nodes, not ${nodes.length}`);
  const file = join(directory, 'haproxy.cfg');
  writeFileSync(file, config);
  let said = '';
  const child: ChildProcess = spawn(program, ['-db', '-f', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  child.stderr?.on('data', (chunk) => {
    said = `${said}${chunk}`.slice(-4_000);
  });
  const onExit = (): void => void child.kill('SIGKILL');
  process.on('exit', onExit);

  /** What its administration answers to one command. */
  async function ask(command: string): Promise<string> {
    const asking = connect(socket);
    let answer = '';
    asking.on('data', (chunk) => {
      answer += chunk;
    });
    await once(asking, 'connect');
    asking.write(`${command}\n`);
    await once(asking, 'close');
    return answer;
  }

  while (!(await ask('show info').catch(() => ''))) {
    if (child.exitCode !== null) throw new Error(`haproxy ended with ${child.exitCode}: ${said}`);
    await new Promise((again) => setTimeout(again, 10));
  }
  async function isUp(node: number): Promise<boolean> {
    const line = (await ask('show stat'))
      .split('\n')
      .find((one) => one.startsWith(`nodes,chat-${node + 1},`));
    return line?.split(',')[17]?.startsWith('UP') === true;
  }

  return {
    port,
    isUp,
    async whenUp(node) {
      while (!(await isUp(node))) await new Promise((again) => setTimeout(again, 20));
    },
    async close() {
      process.off('exit', onExit);
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
