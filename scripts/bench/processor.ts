import { readdirSync, readFileSync } from 'node:fs';

/** The processor time of a process and of all threads it has and has had, in microseconds; steps of 10 ms, Linux only. */
export function cpuMicroseconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

/** The processor time of each thread that a process has, by its number, in microseconds; exact, Linux only (proc_pid_task(5)). */
export function threadMicroseconds(pid: number): ReadonlyMap<string, number> {
  const threads = readdirSync(`/proc/${pid}/task`);
  return new Map(
    threads.map((thread) => {
      const [nanoseconds] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
      return [thread, Number(nanoseconds) / 1_000];
    }),
  );
}

/** The processor time of all threads that a process has, in microseconds; exact, Linux only. */
export function exactMicroseconds(pid: number): number {
  return [...threadMicroseconds(pid).values()].reduce((sum, one) => sum + one, 0);
}

/** The same of a process and all processes that it has begun and that have not ended. */
export function familyMicroseconds(pid: number): number {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = ifThere(() => readFileSync(`/proc/${name}/stat`, 'latin1'));
    if (stat !== undefined)
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
  }
  const family = [pid];
  for (const one of family) for (const [child, parent] of parents) if (parent === one) family.push(child);
  return family.reduce((sum, one) => sum + (ifThere(() => exactMicroseconds(one)) ?? 0), 0);
}

/** Undefined of a process that has ended meanwhile. */
function ifThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
