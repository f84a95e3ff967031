import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { ChatError } from '../core/errors.ts';
import type { CommandContext } from './command.ts';
import type { ByteSource } from './host.ts';
import { usageError } from './options.ts';

/** Where the text of a message, or the lines, come from. */
export interface SendInput extends Pick<ByteSource, 'bytes'> {
  /** What an error about it begins with. */
  readonly label: string;
  /** In bytes; undefined for what is not known before its end, such as a pipe. */
  readonly size: number | undefined;
}

/**
 * Opens the file or stdin. Throws `invalid` (exit 2) for a file that cannot be read, and for a terminal as stdin, where nobody
 * would know what is waited for. A pipe that has a name is read like stdin.
 */
export async function openInput(context: CommandContext, file: string | undefined): Promise<SendInput> {
  if (file !== undefined) return await openFile(context, file);
  const { stdin } = context.host;
  if (stdin.isTerminal) {
    throw usageError(
      "no text; give it as an argument or on stdin (a shell drops an unquoted #room: chat send '#ops' hello)",
    );
  }
  return { label: 'stdin', size: stdin.size, bytes: () => stdin.bytes() };
}

async function openFile({ output }: CommandContext, file: string): Promise<SendInput> {
  const label = `--file ${file}`;
  const found = await stat(file).catch((error: unknown) => {
    throw unreadable(file, error);
  });
  if (found.isDirectory()) throw usageError(`--file: ${file} is a directory`, '--file');
  if (!found.isFIFO()) {
    return { label, size: found.isFile() ? found.size : undefined, bytes: () => readFileBytes(file) };
  }
  return {
    label,
    size: undefined,
    async *bytes() {
      output.progress(`waiting for somebody to write to ${file}`);
      try {
        for await (const chunk of readFileBytes(file)) {
          output.progress(undefined);
          yield chunk;
        }
      } finally {
        output.progress(undefined);
      }
    },
  };
}

function unreadable(file: string, error: unknown): unknown {
  if (error instanceof ChatError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  return usageError(`--file: cannot read ${file} (${code})`, '--file');
}

async function* readFileBytes(file: string): AsyncIterable<Uint8Array> {
  try {
    for await (const chunk of createReadStream(file)) {
      if (chunk instanceof Uint8Array) yield chunk;
    }
  } catch (error) {
    throw unreadable(file, error);
  }
}
