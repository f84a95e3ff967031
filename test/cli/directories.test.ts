import { describe, expect, it } from 'vitest';
import { clientFiles } from '../../src/cli/configuration.ts';
import { contextsPath } from '../../src/cli/contexts.ts';
import { configDirectory, type Place, stateDirectory, systemDirectory } from '../../src/cli/directories.ts';

const linux: Place = { platform: 'linux', env: {}, homeDirectory: '/home/sam' };
const mac: Place = { platform: 'darwin', env: {}, homeDirectory: '/Users/sam' };
const windows: Place = { platform: 'win32', env: {}, homeDirectory: 'C:\\Users\\sam' };
const at = (place: Place, env: Record<string, string>): Place => ({ ...place, env });
const all = (place: Place) => [stateDirectory(place), configDirectory(place), systemDirectory(place)];

describe('the state, config and system directories', () => {
  it('are where XDG puts them on Linux and everything like it', () => {
    const places = ['/home/sam/.local/state/chat', '/home/sam/.config/chat', '/etc/chat'];
    expect(all(linux)).toEqual(places);
    expect(all({ ...linux, platform: 'freebsd' })).toEqual(places);
  });

  it('are in Application Support on macOS', () => {
    const own = '/Users/sam/Library/Application Support/chat';
    expect(all(mac)).toEqual([own, own, '/Library/Application Support/chat']);
  });

  it('are local, roaming and program data on Windows, also without its variables', () => {
    const places = [
      'C:\\Users\\sam\\AppData\\Local\\chat',
      'C:\\Users\\sam\\AppData\\Roaming\\chat',
      'C:\\ProgramData\\chat',
    ];
    expect(all(windows)).toEqual(places);
    expect(
      all(at(windows, { LOCALAPPDATA: 'D:\\local', APPDATA: 'D:\\roaming', PROGRAMDATA: 'D:\\all' })),
    ).toEqual(['D:\\local\\chat', 'D:\\roaming\\chat', 'D:\\all\\chat']);
    expect(all(at(windows, { LOCALAPPDATA: '', APPDATA: 'roaming', PROGRAMDATA: 'all' }))).toEqual(places);
  });

  it.each([
    [linux, '/xdg', '/xdg/chat'],
    [mac, '/xdg', '/xdg/chat'],
    [windows, 'D:\\xdg', 'D:\\xdg\\chat'],
  ])('follow the XDG variables on every platform', (place, parent, chat) => {
    const env = { XDG_STATE_HOME: parent, XDG_CONFIG_HOME: parent, LOCALAPPDATA: 'E:\\', APPDATA: 'E:\\' };
    expect(all(at(place, env)).slice(0, 2)).toEqual([chat, chat]);
  });

  it.each(['xdg', '', './xdg'])('ignore an XDG variable that is relative: %j', (relative) => {
    const env = { XDG_STATE_HOME: relative, XDG_CONFIG_HOME: relative };
    for (const place of [linux, mac, windows]) expect(all(at(place, env))).toEqual(all(place));
  });

  it('hold config.yaml, first the person’s, then the machine’s, and contexts.json', () => {
    const paths = (place: Place) => [
      ...clientFiles(place, undefined).map(({ path }) => path),
      contextsPath(place),
    ];
    expect(paths(linux)).toEqual([
      '/home/sam/.config/chat/config.yaml',
      '/etc/chat/config.yaml',
      '/home/sam/.config/chat/contexts.json',
    ]);
    expect(paths(mac)).toEqual([
      '/Users/sam/Library/Application Support/chat/config.yaml',
      '/Library/Application Support/chat/config.yaml',
      '/Users/sam/Library/Application Support/chat/contexts.json',
    ]);
    expect(paths(windows)).toEqual([
      'C:\\Users\\sam\\AppData\\Roaming\\chat\\config.yaml',
      'C:\\ProgramData\\chat\\config.yaml',
      'C:\\Users\\sam\\AppData\\Roaming\\chat\\contexts.json',
    ]);
  });
});
