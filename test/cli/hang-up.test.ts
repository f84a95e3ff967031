import { describe, expect, it } from 'vitest';
import { type StartedBy, wasHangUpIgnored } from '../../src/cli/hang-up.ts';

/** A system with these files and links, and no others. */
function started(
  env: StartedBy['env'],
  files: Readonly<Record<string, string>> = {},
  links: Readonly<Record<string, string>> = {},
): StartedBy {
  const from = (table: Readonly<Record<string, string>>) => (path: string) => {
    const found = table[path];
    if (found === undefined) throw new Error(`ENOENT: ${path}`);
    return found;
  };
  return { env, parentId: 42, read: from(files), readLink: from(links) };
}

const stdin = '/proc/self/fdinfo/0';
const link = '/proc/self/fd/0';
const parent = '/proc/42/status';

describe('whether a process was started with SIGHUP ignored', () => {
  it('is what the launcher says, whatever else there is', () => {
    expect(wasHangUpIgnored(started({ CHAT_NOHUP: '1' }))).toBe(true);
    expect(wasHangUpIgnored(started({ CHAT_NOHUP: '0', _: '/usr/bin/nohup' }))).toBe(false);
  });

  it('shows without a launcher in the command that a shell names', () => {
    expect(wasHangUpIgnored(started({ _: '/usr/bin/nohup' }))).toBe(true);
    expect(wasHangUpIgnored(started({ _: '/usr/bin/nohup.sh' }))).toBe(false);
    expect(wasHangUpIgnored(started({ _: '/usr/local/bin/chat' }))).toBe(false);
  });

  it('shows in the standard input that nohup leaves at a terminal: /dev/null, to be written to', () => {
    const nobody = { [link]: '/dev/null' };
    expect(wasHangUpIgnored(started({}, { [stdin]: 'pos:\t0\nflags:\t0100001\n' }, nobody))).toBe(true);
    expect(wasHangUpIgnored(started({}, { [stdin]: 'pos:\t0\nflags:\t0100000\n' }, nobody))).toBe(false);
    expect(wasHangUpIgnored(started({}, { [stdin]: 'pos:\t0\nflags:\t0100002\n' }, nobody))).toBe(false);
    const file = { [link]: '/tmp/log' };
    expect(wasHangUpIgnored(started({}, { [stdin]: 'pos:\t0\nflags:\t0100001\n' }, file))).toBe(false);
  });

  it('shows in a parent that ignores it', () => {
    expect(wasHangUpIgnored(started({}, { [parent]: 'Name:\tsh\nSigIgn:\t0000000000000001\n' }))).toBe(true);
    expect(wasHangUpIgnored(started({}, { [parent]: 'Name:\tsh\nSigIgn:\t8000000000001001\n' }))).toBe(true);
    expect(wasHangUpIgnored(started({}, { [parent]: 'Name:\tsh\nSigIgn:\t0000000000001002\n' }))).toBe(false);
  });

  it('is not so where nothing tells', () => {
    expect(wasHangUpIgnored(started({}))).toBe(false);
    expect(wasHangUpIgnored(started({}, { [stdin]: 'pos:\t0\n', [parent]: 'State: gone' }))).toBe(false);
  });
});
