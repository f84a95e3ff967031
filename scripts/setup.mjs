/**
 * Makes a checkout ready to run on a machine that has only Node 20 and npm: installs the packages when the lock
 * changed, and with `--build` builds dist/ when a source changed (`--rebuild`: in any case). Plain JavaScript without
 * packages, since none are there when it first runs. Says nothing when nothing is to do; speaks on stderr only, so
 * that `npm start | …` carries the program's own output.
 */
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, buildIsCurrent } from './setup/build.mjs';
import { installPackages, packagesAreCurrent } from './setup/packages.mjs';
import { requireSupportedPlatform } from './setup/pinned-node.mjs';
import { SetupError, say } from './setup/speech.mjs';
import { inTurn } from './setup/turns.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const wanted = process.argv.slice(2);

const needsPackages = () => !packagesAreCurrent(root);
const needsBuild = () =>
  wanted.includes('--rebuild') || (wanted.includes('--build') && !buildIsCurrent(root));

try {
  requireSupportedPlatform(root);
  // Nothing to do needs no lock, and no right to write.
  if (needsPackages() || needsBuild()) {
    await inTurn(root, () => {
      // Asked again: another setup may have done it all while this one waited.
      if (needsPackages()) installPackages(root);
      if (needsBuild()) build(root);
    });
  }
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(error.message);
  process.exitCode = 1;
}
