import { createInterface } from 'node:readline/promises';
import { StringDecoder } from 'node:string_decoder';
import { PromptLeft, type Prompts } from './host.ts';

/** Asks one line; the terminal itself edits it. The end of input is the person leaving. */
async function line(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false });
  try {
    const ended = new Promise<never>((_resolve, reject) =>
      lines.once('close', () => reject(new PromptLeft('the input ended'))),
    );
    return await Promise.race([lines.question(`${question}: `), ended]);
  } finally {
    lines.removeAllListeners('close');
    lines.close();
  }
}

const ctrlC = '\u0003';
const ctrlD = '\u0004';
const ctrlU = '\u0015';
const backspaces: readonly string[] = ['\u007f', '\b'];

/** Asks a line of which nothing is shown. */
async function secretLine(question: string): Promise<string> {
  const { stdin, stderr } = process;
  stderr.write(`${question} (not shown): `);
  stdin.setRawMode(true);
  // Its own decoder: an encoding set on stdin would stay for whoever reads it next.
  const decoder = new StringDecoder('utf8');
  let typed = '';
  try {
    for (;;) {
      const bytes = await new Promise<Buffer>((resolve, reject) => {
        stdin.resume();
        stdin.once('data', resolve);
        stdin.once('end', () => reject(new PromptLeft('the input ended')));
      }).finally(() => stdin.removeAllListeners('end'));
      for (const character of decoder.write(bytes)) {
        if (character === '\r' || character === '\n') return typed;
        if (character === ctrlC || (character === ctrlD && typed === '')) throw new PromptLeft('left');
        if (character === ctrlU) typed = '';
        else if (backspaces.includes(character)) typed = [...typed].slice(0, -1).join('');
        else typed += character;
      }
    }
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    stderr.write('\n');
  }
}

/**
 * Prompts that write below one another only. Our own, since those of @inquirer/prompts draw each answer anew at every key,
 * which a screen reader reads out again and a simple terminal cannot do.
 */
export const plainPrompts: Prompts = {
  async text(question) {
    for (;;) {
      const answer = await line(question);
      if (answer.trim() !== '') return answer;
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
