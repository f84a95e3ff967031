import { describe, expect, it } from 'vitest';
import {
  openFilesLimit,
  parseOpenFiles,
  reportedOpenFiles,
  tooFewFiles,
} from '../../src/server/open-files.ts';

const limits = (soft: string): string =>
  `Limit                     Soft Limit           Hard Limit           Units     
Max processes             95876                95876                processes 
Max open files            ${soft.padEnd(20)} 1048576              files     
Max locked memory         8388608              8388608              bytes     
`;

describe('the limit of open files', () => {
  it('is the soft one of this process', () => {
    expect(parseOpenFiles(limits('1024'))).toBe(1_024);
    expect(openFilesLimit()).toBeGreaterThan(0);
  });

  it.skipIf(process.platform === 'win32')('is the same by the report of Node', () => {
    expect(reportedOpenFiles()).toBe(openFilesLimit());
  });

  it.each([limits('unlimited'), '', 'Max open files'])('is unknown where none is said', (text) => {
    expect(parseOpenFiles(text)).toBeUndefined();
  });

  it('is enough for the connections and 128 files more, and is doubted at one less', () => {
    expect(tooFewFiles({ maxConnections: 20_000 }, 20_128)).toBeUndefined();
    expect(tooFewFiles({ maxConnections: 20_000 }, 20_127)).toBe(
      'this process may open 20127 files, which is enough for 19999 connections, not for 20000: raise the limit (ulimit -n, LimitNOFILE) or set --max-connections',
    );
  });

  it('is never enough for any number of connections, and nothing is said where there is none', () => {
    expect(tooFewFiles({ maxConnections: 0 }, 1_024)).toContain(
      'enough for 896 connections, not for any number',
    );
    expect(tooFewFiles({ maxConnections: 0 }, undefined)).toBeUndefined();
    expect(tooFewFiles({ maxConnections: 100 }, 10)).toContain('enough for 0 connections');
  });
});
