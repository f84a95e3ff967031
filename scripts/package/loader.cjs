'use strict';
/**
 * Answers what loads the program's modules from where `asset` finds them by name: the first code that runs in the executable, and in
 * each of its threads. A module is a script of CommonJS (modules.ts); beside it may be what V8 compiled of it before (compiled.ts).
 * `onScript` is told of each script.
 */
// biome-ignore lint/correctness/noUnusedVariables: the text that is put after this one calls it.
function loaderOf(asset, onScript) {
  const { Script } = process.getBuiltinModule('node:vm');
  const bytes = (name) => Buffer.from(asset(name));
  const compiled = new Set(bytes('compiled.txt').latin1Slice().split('\n'));
  const modules = new Map();

  return function load(name) {
    // Modules of the program have names like ./chat.mjs; all else is Node's own.
    if (!name.startsWith('./')) return process.getBuiltinModule(name);
    const known = modules.get(name);
    if (known !== undefined) return known.exports;
    const module = { exports: {} };
    modules.set(name, module);
    const file = name.slice(2);
    const script = new Script(bytes(file).latin1Slice(), {
      filename: `chat:${file}`,
      // What does not fit, V8 leaves aside.
      cachedData: compiled.has(file) ? bytes(`${file}.compiled`) : undefined,
    });
    onScript?.(file, script);
    script.runInThisContext()(module.exports, load, module);
    return module.exports;
  };
}
