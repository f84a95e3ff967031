import { emitKeypressEvents } from 'node:readline';
import { PassThrough } from 'node:stream';

/** Something that a person did at the keyboard. */
export type Key =
  /** Characters to be typed. */
  | { readonly kind: 'text'; readonly text: string }
  /** Characters that were pasted at once, line breaks and all. */
  | { readonly kind: 'paste'; readonly text: string }
  /** A key with a name: `ctrl-a`, `alt-1`, `page-up`, `enter`, `tab`, `shift-tab`. */
  | { readonly kind: 'named'; readonly name: string };

/** A key as node:readline describes it. */
interface Keypress {
  readonly name?: string | undefined;
  readonly sequence?: string | undefined;
  readonly ctrl?: boolean | undefined;
  readonly meta?: boolean | undefined;
  readonly shift?: boolean | undefined;
}

const renamed: Readonly<Record<string, string>> = {
  return: 'enter',
  // What Ctrl-J sends, and some terminals for Shift-Enter.
  enter: 'line-break',
  pageup: 'page-up',
  pagedown: 'page-down',
};

/** No more of a paste is kept, in UTF-16 units: several times what a message may have. */
const mostPasted = 65_536;
/** A paste of which nothing more has come for so long is over, in milliseconds: its end mark was lost. */
const pastePauseMs = 5_000;

function nameOf({ name = '', ctrl, meta, shift }: Keypress): string {
  const parts = [
    ...(ctrl ? ['ctrl'] : []),
    ...(meta ? ['alt'] : []),
    ...(shift && name.length > 1 ? ['shift'] : []),
  ];
  return [...parts, renamed[name] ?? name].join('-');
}

/** Cuts what a terminal sends into keys; a sequence may come in pieces. */
export class KeyReader {
  readonly #stream = new PassThrough();
  readonly #onKey: (key: Key) => void;
  #pasted: string | undefined;
  #pasteTimer: ReturnType<typeof setTimeout> | undefined;

  /** Calls `onKey` for every key. */
  constructor(onKey: (key: Key) => void) {
    this.#onKey = onKey;
    this.#stream.setEncoding('utf8');
    emitKeypressEvents(this.#stream);
    this.#stream.on('keypress', (text: string | undefined, key: Keypress) => {
      const read = this.#read(text, key);
      if (read !== undefined) onKey(read);
    });
  }

  /** Takes bytes as they come. */
  write(bytes: Uint8Array): void {
    this.#stream.write(bytes);
    clearTimeout(this.#pasteTimer);
    if (this.#pasted !== undefined) this.#pasteTimer = setTimeout(() => this.#endPaste(), pastePauseMs);
  }

  /** Ends it; an escape key that waits to become a sequence is dropped. */
  close(): void {
    clearTimeout(this.#pasteTimer);
    this.#stream.destroy();
  }

  #endPaste(): void {
    const text = this.#pasted;
    this.#pasted = undefined;
    if (text !== undefined) this.#onKey({ kind: 'paste', text });
  }

  #read(text: string | undefined, key: Keypress): Key | undefined {
    if (key.name === 'paste-start') {
      this.#pasted = '';
      return undefined;
    }
    if (key.name === 'paste-end') {
      this.#endPaste();
      return undefined;
    }
    if (this.#pasted !== undefined) {
      if (this.#pasted.length < mostPasted) this.#pasted += key.sequence ?? text ?? '';
      return undefined;
    }
    const isText = text !== undefined && text !== '' && !key.ctrl && !key.meta && !/\p{Cc}/u.test(text);
    if (isText) return { kind: 'text', text };
    return key.name === undefined || key.name === 'undefined'
      ? undefined
      : { kind: 'named', name: nameOf(key) };
  }
}
