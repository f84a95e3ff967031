'use strict';
/**
 * `node warm-up.cjs ARCHIVE all|missing ARGS…` runs the archive's program with ARGS as the executable will. At the end of the process
 * and of each thread it keeps, beside every module that was loaded (or only where nothing is kept yet), what V8 has compiled of it by
 * then: the functions that ran, and no others. With `missing` it ends with its standard input.
 */

/** Makes this thread one of the executable's, as far as the program can see; its text goes into each further thread too. */
function standIn(archive, isForAll) {
  const { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } =
    process.getBuiltinModule('node:fs');
  const { threadId } = process.getBuiltinModule('node:worker_threads');
  const kept = (file) => `${archive}/${file}.compiled`;

  function asset(name) {
    if (name === 'compiled.txt') {
      const files = readdirSync(archive).filter((file) => file.endsWith('.compiled'));
      return Buffer.from(files.map((file) => file.slice(0, -'.compiled'.length)).join('\n'));
    }
    const content = readFileSync(`${archive}/${name}`);
    if (name !== 'loader.cjs') return content;
    const again = [JSON.stringify(archive), String(isForAll)].join();
    return `${content}\n${standIn}\nconst load = standIn(${again});`;
  }

  const real = process.getBuiltinModule;
  const sea = { isSea: () => true, getRawAsset: asset, getAsset: (name) => String(asset(name)) };
  process.getBuiltinModule = (name) => (name === 'node:sea' ? sea : real.call(process, name));

  const scripts = new Map();
  process.on('exit', () => {
    for (const [file, script] of scripts) {
      if (!isForAll && existsSync(kept(file))) continue;
      const whole = `${kept(file)}.${process.pid}.${threadId}`;
      writeFileSync(whole, script.createCachedData());
      renameSync(whole, kept(file));
    }
  });
  const loaderText = readFileSync(`${archive}/loader.cjs`, 'utf8');
  const { runInThisContext } = process.getBuiltinModule('node:vm');
  return runInThisContext(`${loaderText}\nloaderOf`)(asset, (file, script) => scripts.set(file, script));
}

const [, , archive, which, ...args] = process.argv;
process.argv.splice(1, process.argv.length, process.argv[0], ...args);
// The server, which nobody would end where the packager was killed.
if (which === 'missing') process.stdin.resume().once('end', () => process.kill(process.pid, 'SIGKILL'));
standIn(archive, which === 'all')('./chat.mjs');
