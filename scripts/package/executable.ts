import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import pkg from '@yao-pkg/pkg/lib-es5/sea.js';
import { loaderName } from './modules.ts';

const run = promisify(execFile);

/** What an executable is made of. */
export interface Parts {
  /** The directory of {@link writeArchive}. */
  readonly archive: string;
  /** The files in it that travel. */
  readonly names: readonly string[];
  /** The Node that the executable becomes. */
  readonly node: string;
  /** Where it is put. */
  readonly output: string;
}

const loader = `loaderOf(process.getBuiltinModule('node:sea').getRawAsset)`;
/** What is put after the loader's text: for the program, and for its threads (src/server/workers/program-parts.ts). */
const startsProgram = `\n${loader}('./chat.mjs');\n`;
const startsThreads = `\nconst load = ${loader};\n`;

/** As Node's documentation of single executable applications has it. */
const settings = {
  disableExperimentalSEAWarning: true,
  useSnapshot: false,
  // Of the few lines that come first; the program's own code is compiled beforehand by compiled.ts, with what ran of it.
  useCodeCache: false,
  // NODE_OPTIONS is for programs that are known to be Node's: an option of another version would keep chat from starting.
  execArgvExtension: 'none',
};

interface Config {
  readonly main: string;
  readonly output: string;
  readonly assets: Record<string, string>;
}

/** Has `make` write the executable somewhere, and puts it in place at once and whole. */
async function place(
  { archive, names, output }: Parts,
  make: (config: Config) => Promise<void>,
): Promise<void> {
  await mkdir(dirname(output), { recursive: true });
  const scratch = await mkdtemp(join(tmpdir(), 'chat-executable-'));
  const whole = `${resolve(output)}.${process.pid}`;
  try {
    const text = await readFile(join(archive, loaderName), 'utf8');
    const [main, threads] = [join(scratch, 'main.cjs'), join(scratch, loaderName)];
    await writeFile(main, text + startsProgram);
    await writeFile(threads, text + startsThreads);
    const assets = Object.fromEntries(names.map((name) => [name, resolve(archive, name)]));
    await make({ main, output: whole, assets: { ...assets, [loaderName]: threads } });
    await chmod(whole, 0o755);
    await rename(whole, output);
  } finally {
    await rm(whole, { force: true });
    await rm(scratch, { recursive: true, force: true });
  }
}

/** What pkg calls this platform. */
const pkgPlatform = { linux: 'linux', darwin: 'macos', win32: 'win' } as const;

/** Makes the executable for this platform with pkg, which runs the Node that it is made of. */
export async function makeHostExecutable(parts: Parts): Promise<void> {
  const platform = pkgPlatform[process.platform as keyof typeof pkgPlatform];
  const target = { platform, arch: process.arch, nodeRange: `node${process.versions.node}` };
  await place(parts, async ({ main, output, assets }) => {
    await pkg.default(main, {
      targets: [{ ...target, output }],
      nodePath: parts.node,
      seaConfig: { ...settings, assets },
      signature: true,
    });
  });
}

/**
 * Makes the executable for another platform with the Node that runs this, which has to be of the same version: pkg would run the other
 * platform's. One for macOS on arm64 has no valid signature then and does not start before it gets one: `codesign --sign - FILE`.
 */
export async function makeForeignExecutable(parts: Parts): Promise<void> {
  await place(parts, async (config) => {
    const file = join(dirname(config.main), 'sea.json');
    await writeFile(file, JSON.stringify({ ...settings, ...config, executable: resolve(parts.node) }));
    await run(process.execPath, ['--build-sea', file]);
  });
}
