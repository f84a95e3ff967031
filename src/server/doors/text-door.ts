import type { TextCall, TextCodec } from '../../core/codecs/text-request.ts';
import type { ChatError } from '../../core/errors.ts';
import type { Language } from './call-connection.ts';
import type { Arrival, Door, DoorParts } from './door.ts';
import { LineConnection } from './line-connection.ts';

/** A door for a language of text; what is said in it is the codec's. */
export function textDoor(codec: TextCodec): Door {
  return (arrival: Arrival, parts: DoorParts) => {
    const lines = new LineConnection(arrival, parts, codec);
    lines.start(new TextLines(lines, parts, codec));
    return lines;
  };
}

/** What is said to a request, and what is called for then. */
interface Answer {
  readonly text: string | undefined;
  readonly after?: TextCall | undefined;
}

/** One connection's requests: answers carry no id, so each waits for those of the requests before it. */
class TextLines implements Language {
  readonly #lines: LineConnection;
  readonly #parts: DoorParts;
  readonly #codec: TextCodec;
  /** Resolves when every request so far has been answered. */
  #answered: Promise<void> = Promise.resolve();

  constructor(lines: LineConnection, parts: DoorParts, codec: TextCodec) {
    this.#lines = lines;
    this.#parts = parts;
    this.#codec = codec;
  }

  take(line: string): void {
    const { certificate } = this.#lines.connection.channel;
    const request = this.#codec.read(line, { hasCertificate: certificate !== undefined });
    switch (request.kind) {
      case 'call':
        this.#lines.noteCall();
        this.#add(request.call);
        break;
      case 'answer':
        this.#lines.noteCall();
        this.#add(request.text);
        break;
      case 'bad':
        this.#add(request.text);
        this.#lines.noteBad();
        break;
      case 'close':
        this.#lines.close();
        break;
    }
  }

  spell(error: ChatError): string {
    return this.#codec.spell(error);
  }

  /** Answers with a text, or with what a call comes to. */
  #add(request: TextCall | string): void {
    const before = this.#answered;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#answered = promise;
    const overlaps = typeof request === 'string' || this.#parts.calls.overlaps(request.operation);
    this.#lines.add(overlaps, async () => {
      for (let next: TextCall | string | undefined = request; next !== undefined; ) {
        const answer: Answer = typeof next === 'string' ? { text: next } : await this.#serve(next);
        if (this.#codec.tellsEventsFirst) await this.#parts.calls.told(this.#lines.connection);
        await before;
        if (answer.text !== undefined) this.#lines.say(answer.text);
        next = answer.after;
      }
      resolve();
    });
  }

  async #serve(call: TextCall): Promise<Answer> {
    const { connection } = this.#lines;
    const results: unknown[] = [];
    try {
      for (let more: object | undefined = {}; more; ) {
        const result = await this.#parts.calls.call(connection, call.operation, { ...call.params, ...more });
        results.push(result);
        more = call.next?.(result);
      }
      return { text: call.answer(results), after: call.after };
    } catch (error) {
      return {
        text: call.refuse(this.#lines.safe(error), { isLoggedIn: connection.session !== undefined }),
      };
    }
  }
}
