import { setTimeout as sleep } from 'node:timers/promises';
import { answerPings, type LineSocket, lineSockets } from './line-socket.ts';
import { requestText, type Service } from './service.ts';

/** How long the last answers may take, in milliseconds. */
const patienceMs = 20_000;
const newLine = 10;

/** Senders who each keep some messages unanswered. */
export interface RoomSenders {
  /** Messages that were answered. */
  answered(): number;
  begin(): void;
  /** Sends no more; answers how many were sent when all are answered. */
  stop(): Promise<number>;
  close(): void;
}

/** Connects senders with `window` messages unanswered each. An answer that is an error ends the workload. */
export async function roomSenders(service: Service, count: number, window: number): Promise<RoomSenders> {
  let sent = 0;
  let answered = 0;
  let isOver = false;
  const lines = await lineSockets(count, service.port, service.sender);
  const starts = lines.map((line, sender) => {
    let n = 0;
    const send = (messages: number): void => {
      let text = '';
      for (let i = 0; i < messages; i++) text += requestText(service, sender, ++n);
      sent += messages;
      line.socket.write(text);
    };
    line.onBytes = (bytes, length) => {
      const answers = answersIn(line, bytes.subarray(0, length));
      answered += answers;
      if (!isOver && answers > 0) send(answers);
    };
    return () => send(window);
  });
  return {
    answered: () => answered,
    begin() {
      for (const start of starts) start();
    },
    async stop() {
      isOver = true;
      for (const end = performance.now() + patienceMs; performance.now() < end; await sleep(20)) {
        if (answered === sent) return sent;
      }
      throw new Error(`${sent - answered} of ${sent} messages were never answered`);
    },
    close() {
      for (const line of lines) line.close();
    },
  };
}

/** How many answers came, each a line; a ping among them is answered. */
export function answersIn(line: LineSocket, bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(newLine); at >= 0; at = bytes.indexOf(newLine, at + 1)) lines += 1;
  if (bytes.includes('"error"'))
    throw new Error(`a message was refused: ${bytes.toString('latin1', 0, 500)}`);
  return lines - answerPings(line, bytes);
}
