import { StringDecoder } from 'node:string_decoder';
import { PromptLeft, type Prompts } from './host.ts';

const newline = 0x0a;
const carriageReturn = 0x0d;
const ctrlC = '\u0003';
const ctrlD = '\u0004';
const ctrlU = '\u0015';
const backspaces: readonly string[] = ['\u007f', '\b'];

/** The next bytes that were typed; the end of input is the person leaving. Nothing is read beyond them. */
async function nextBytes(): Promise<Buffer> {
  const { stdin } = process;
  const left = (): PromptLeft => new PromptLeft('the input ended');
  if (stdin.readableEnded || stdin.destroyed) throw left();
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const take = (bytes: Buffer): void => {
    stdin.pause();
    resolve(bytes);
  };
  const end = (): void => reject(left());
  stdin.once('data', take).once('end', end).once('error', end);
  stdin.resume();
  try {
    return await promise;
  } finally {
    stdin.off('data', take).off('end', end).off('error', end);
  }
}

/** What was typed ahead waits for the next question, or for the chat; its lines end as those of a terminal that edits them. */
function putBack(rest: Buffer): void {
  if (rest.length > 0) process.stdin.unshift(rest.map((byte) => (byte === carriageReturn ? newline : byte)));
}

/** Asks one line; the terminal itself edits it. */
async function line(question: string): Promise<string> {
  process.stderr.write(`${question}: `);
  // Its own decoder: an encoding set on stdin would stay for whoever reads it next.
  const decoder = new StringDecoder('utf8');
  let typed = '';
  for (;;) {
    const bytes = await nextBytes();
    // A carriage return is one that was typed while nothing was shown.
    const end = bytes.findIndex((byte) => byte === newline || byte === carriageReturn);
    if (end < 0) {
      typed += decoder.write(bytes);
      continue;
    }
    putBack(bytes.subarray(end + 1));
    return typed + decoder.end(bytes.subarray(0, end));
  }
}

/** Asks a line of which nothing is shown. */
async function secretLine(question: string): Promise<string> {
  const { stdin, stderr } = process;
  // Before the question: who answers it at once is not shown either.
  stdin.setRawMode(true);
  stderr.write(`${question} (not shown): `);
  const decoder = new StringDecoder('utf8');
  let typed = '';
  try {
    for (;;) {
      const bytes = await nextBytes();
      for (const at of bytes.keys()) {
        for (const character of decoder.write(bytes.subarray(at, at + 1))) {
          if (character === '\r' || character === '\n') {
            putBack(bytes.subarray(at + 1));
            return typed;
          }
          if (character === ctrlC || (character === ctrlD && typed === '')) throw new PromptLeft('left');
          if (character === ctrlU) typed = '';
          else if (backspaces.includes(character)) typed = [...typed].slice(0, -1).join('');
          else typed += character;
        }
      }
    }
  } finally {
    stdin.setRawMode(false);
    stderr.write('\n');
  }
}

/**
 * Prompts that write below one another only. Our own, since those of @inquirer/prompts draw each answer anew at every key,
 * which a screen reader reads out again and a simple terminal cannot do.
 */
export const plainPrompts: Prompts = {
  async text(question, { optional } = { optional: false }) {
    for (;;) {
      const answer = await line(question);
      if (optional || answer.trim() !== '') return answer;
    }
  },
  secret: secretLine,
  async confirm(question) {
    return /^y(es)?$/i.test((await line(`${question} (y/n)`)).trim());
  },
  async choose(question, choices) {
    process.stderr.write(`${question}\n`);
    for (const [index, { name }] of choices.entries()) process.stderr.write(`${index + 1} ${name}\n`);
    for (;;) {
      const answer = await line(`1 to ${choices.length}`);
      const chosen = /^\d+$/.test(answer.trim()) ? choices[Number(answer) - 1] : undefined;
      if (chosen !== undefined) return chosen.value;
    }
  },
};
