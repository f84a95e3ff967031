import { appendFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

/** Preloaded into a process: writes the URL of each module that it loads to the file MODULE_LOG. */
const log = process.env.MODULE_LOG;
if (log !== undefined) {
  registerHooks({
    load(url, context, next) {
      appendFileSync(log, `${url}\n`);
      return next(url, context);
    },
  });
}
