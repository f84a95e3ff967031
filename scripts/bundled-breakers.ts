import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { breakersVariable } from '../test/campaigns/support/campaign.ts';
import { entryPoints } from './build/bundle.ts';
import { bundleInto } from './build/bundle-into.ts';

const { chat: _, ...threads } = entryPoints;
const support = 'test/campaigns/support';

/**
 * What vitest calls before the first test of campaigns and of clusters: what breaks its promises is bundled, as the program is,
 * since campaigns start it again and again. Answers what removes the bundles.
 */
export async function setup(): Promise<() => void> {
  const directory = mkdtempSync(join(tmpdir(), 'chat-breakers-'));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  try {
    await bundleInto(directory, resolve(import.meta.dirname, '..'), {
      ...threads,
      'broken-server': `${support}/broken-server.ts`,
      'broken-store-worker': `${support}/broken-store-worker.ts`,
      'hasty-tail': `${support}/hasty-tail.ts`,
      'broken-node': 'test/cluster/support/broken-node.ts',
    });
    process.env[breakersVariable] = directory;
  } catch (error) {
    remove();
    throw error;
  }
  return () => {
    delete process.env[breakersVariable];
    remove();
  };
}
