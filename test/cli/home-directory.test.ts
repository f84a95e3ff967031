import { describe, expect, it } from 'vitest';
import { homeDirectory } from '../../src/cli/home-directory.ts';

describe('the home directory', () => {
  it('is the one that the system tells of', () => {
    expect(homeDirectory(() => '/home/alice')).toBe('/home/alice');
  });

  it.each(['', 'alice'])('is the root directory when HOME is %j, which is no place', (home) => {
    expect(homeDirectory(() => home)).toBe('/');
  });

  it('is the root directory for a user whom the system does not know', () => {
    const ask = () => {
      throw Object.assign(new Error('uv_os_homedir returned ENOENT'), { code: 'ERR_SYSTEM_ERROR' });
    };
    expect(homeDirectory(ask)).toBe('/');
  });
});
