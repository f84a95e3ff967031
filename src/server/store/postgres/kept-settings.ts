import type { Connections } from './connections.ts';

/** Values that all nodes share, each under a name that is written once. */
export interface KeptSettings {
  get(name: string): Promise<Uint8Array | undefined>;
  /** Keeps a value unless there is one; answers the one that is there then, whoever of many nodes put it. */
  putIfAbsent(name: string, value: Uint8Array): Promise<Uint8Array>;
}

/** The rows of `settings`; `call` is how the store runs its calls. */
export function keptSettings(
  pool: Pick<Connections, 'use'>,
  call: <Result>(work: () => Promise<Result>) => Promise<Result>,
): KeptSettings {
  async function get(name: string): Promise<Uint8Array | undefined> {
    const { rows } = await pool.use((session) =>
      session.execute('SELECT value FROM settings WHERE name = $1', [name]),
    );
    return (rows as { value: Uint8Array }[])[0]?.value;
  }

  return {
    get: (name) => call(() => get(name)),
    putIfAbsent: (name, value) =>
      call(async () => {
        await pool.use((session) =>
          session.execute(
            'INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING',
            [name, value],
          ),
        );
        const kept = await get(name);
        if (!kept) throw new Error(`the setting ${name} was put, and is not there`);
        return kept;
      }),
  };
}
