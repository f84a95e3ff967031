import initSqlJs from 'sql.js/dist/sql-wasm-debug.js';
import { sqliteWasm } from '../../workers/program-parts.ts';
import { missingExports } from './connection.ts';
import { missingCalls, type SystemCalls, systemCalls } from './system-calls.ts';

/** SQLite as sql.js compiles it, its system calls on the host's files. */
export interface Sqlite {
  readonly exports: Readonly<Record<string, unknown>>;
  readonly calls: SystemCalls;
}

let loaded: Promise<Sqlite> | undefined;

/** Loads SQLite once per thread, which is what sql.js does; throws when its build lacks something that is needed here. */
export function loadSqlite(): Promise<Sqlite> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<Sqlite> {
  const module = new WebAssembly.Module(sqliteWasm());
  const calls = systemCalls();
  requireAll('imports', missingCalls(module));
  const { promise: exports, resolve } = Promise.withResolvers<Sqlite['exports']>();
  await initSqlJs({
    print: () => {},
    printErr: () => {},
    instantiateWasm: (imports, receive) => {
      calls.install(imports);
      growQuietly(imports);
      const instance = new WebAssembly.Instance(module, imports);
      calls.attach(instance.exports.memory as WebAssembly.Memory);
      receive(instance, module);
      resolve(instance.exports);
      return instance.exports;
    },
  });
  requireAll('exports', missingExports(await exports));
  return { exports: await exports, calls };
}

function requireAll(what: 'imports' | 'exports', missing: readonly string[]): void {
  if (missing.length > 0) {
    throw new Error(`this build of sql.js lacks ${what} that the database needs: ${missing.join(', ')}`);
  }
}

/** The debug build tells on the console each time that its memory grows; nobody here wants to read that. */
function growQuietly(imports: WebAssembly.Imports): void {
  const env = imports.env ?? {};
  const grow = env.emscripten_resize_heap as (bytes: number) => unknown;
  env.emscripten_resize_heap = (bytes: number) => {
    const { warn } = console;
    console.warn = () => {};
    try {
      return grow(bytes);
    } finally {
      console.warn = warn;
    }
  };
}
