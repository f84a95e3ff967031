/**
 * A tail that breaks its promise: its stdout says that a line was accepted before it is written, so that the cursor moves first. The
 * real parts are wrapped here; nothing in src can do this.
 */
import type { Host } from '../../../src/cli/host.ts';
import { run } from '../../../src/cli/main.ts';
import { systemHost } from '../../../src/cli/system-host.ts';

/** How long a line lies about, in milliseconds: longer than the cursor takes. */
const lateMs = 400;

const host = systemHost();
const late: Host = {
  ...host,
  stdout: {
    ...host.stdout,
    write(text) {
      setTimeout(() => void host.stdout.write(text), lateMs);
      return undefined;
    },
    flush: async () => {},
  },
};
const code = await run(process.argv.slice(2), late);
setTimeout(() => process.exit(code), lateMs * 2);
