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
