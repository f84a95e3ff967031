/** The part of the WebAssembly JavaScript interface that the store uses; Node's types leave it out. */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
    static imports(module: Module): { readonly module: string; readonly name: string }[];
  }
  class Memory {
    readonly buffer: ArrayBuffer;
  }
  class RuntimeError extends Error {}
  type ModuleImports = Record<string, unknown>;
  type Imports = Record<string, ModuleImports>;
  class Instance {
    constructor(module: Module, imports: Imports);
    readonly exports: Readonly<Record<string, unknown>>;
  }
}

declare module 'sql.js/dist/sql-wasm-debug.js' {
  import type { SqlJsStatic } from 'sql.js';

  interface Options {
    readonly print: (text: string) => void;
    readonly printErr: (text: string) => void;
    /** Emscripten's hook: answers the exports after handing the instance over. */
    readonly instantiateWasm: (
      imports: WebAssembly.Imports,
      receive: (instance: WebAssembly.Instance, module: WebAssembly.Module) => void,
    ) => unknown;
  }
  const initSqlJs: (options: Options) => Promise<SqlJsStatic>;
  // biome-ignore lint/style/noDefaultExport: this is how sql.js exports it
  export default initSqlJs;
}
