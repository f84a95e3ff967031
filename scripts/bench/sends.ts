import { nativeSqlite, syncedWrites } from './floors.ts';
import { type Figure, type Lab, rawLine } from './lab.ts';

/** Messages acknowledged per second by `connections` senders with `window` unanswered each, for `seconds`. */
async function sendRate(lab: Lab, connections: number, window: number, seconds: number): Promise<number> {
  const lines = await Promise.all(Array.from({ length: connections }, () => rawLine(lab.port, lab.token)));
  const payload = 'x'.repeat(100);
  let acknowledged = 0;
  let refused = '';
  let isOver = false;
  const senders = lines.map(({ socket }, sender) => {
    let next = 0;
    const send = (count: number): void => {
      let text = '';
      for (let i = 0; i < count; i++) {
        next += 1;
        text += `{"jsonrpc":"2.0","id":${next},"method":"message.send","params":{"to":"#lobby","text":"${payload}","key":"${lab.port}-${connections}-${window}-${sender}-${next}"}}\n`;
      }
      socket.write(text);
    };
    socket.on('data', (chunk: Buffer) => {
      let answers = 0;
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) answers += 1;
      if (chunk.includes('"error"')) refused = chunk.toString();
      acknowledged += answers;
      if (!isOver && answers > 0) send(answers);
    });
    return () => send(window);
  });
  const start = performance.now();
  for (const begin of senders) begin();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  isOver = true;
  const rate = (acknowledged / (performance.now() - start)) * 1_000;
  for (const { socket } of lines) socket.destroy();
  if (refused !== '') throw new Error(`a send was refused: ${refused}`);
  return rate;
}

/** Durable sends: one at a time, one connection that pipelines, and a hundred of them. */
export async function sends(lab: Lab): Promise<Figure[]> {
  const synced = syncedWrites(lab.directory);
  const grouped = nativeSqlite(lab.directory, 100);
  const single = await sendRate(lab, 1, 1, 2);
  const pipelined = await sendRate(lab, 1, 100, 2);
  const many = await sendRate(lab, 100, 32, 4);
  const rows = { name: 'native SQLite, 100 rows a commit', value: grouped };
  return [
    {
      name: 'durable sends, one at a time',
      unit: '/s',
      value: single,
      floor: { name: 'fdatasync', value: synced },
    },
    { name: 'durable sends, one connection, 100 pipelined', unit: '/s', value: pipelined, floor: rows },
    { name: 'durable sends, 100 connections, 32 pipelined each', unit: '/s', value: many, floor: rows },
  ];
}
