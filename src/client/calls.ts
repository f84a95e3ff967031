import { ChatError } from '../core/errors.ts';

interface PendingCall {
  readonly name: string;
  readonly resolve: (result: object) => void;
  readonly reject: (error: ChatError) => void;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** The calls of one connection that wait for their answers, by JSON-RPC id. */
export class PendingCalls {
  readonly #calls = new Map<number, PendingCall>();
  /** Calls that were given up: their answers may still come, and mean nothing then. */
  readonly #givenUp = new Set<number>();
  readonly #isPaused: () => boolean;
  #lastId = 0;

  /** While `isPaused`, no answer can be read, and so no call's time runs out. */
  constructor(isPaused: () => boolean) {
    this.#isPaused = isPaused;
  }

  /** How many wait. */
  get size(): number {
    return this.#calls.size;
  }

  /** Registers a call under a new id; its promise rejects with `timeout` after `timeoutMs` (Infinity: never). */
  add(name: string, timeoutMs: number): { id: number; answered: Promise<object> } {
    this.#lastId += 1;
    const id = this.#lastId;
    const answered = new Promise<object>((resolve, reject) => {
      const call: PendingCall = { name, resolve, reject, timer: undefined };
      this.#calls.set(id, call);
      if (timeoutMs !== Number.POSITIVE_INFINITY) this.#arm(id, call, timeoutMs);
    });
    return { id, answered };
  }

  /** Hands an answer to its caller; false when no call of that id is or was under way. */
  settle(id: number, outcome: { result: object } | { error: ChatError }): boolean {
    const call = this.#calls.get(id);
    if (!call) return this.#givenUp.delete(id);
    this.#calls.delete(id);
    clearTimeout(call.timer);
    if ('error' in outcome) call.reject(outcome.error);
    else call.resolve(outcome.result);
    return true;
  }

  /** Ends every waiting call with one error. */
  rejectAll(error: ChatError): void {
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const call of calls) {
      clearTimeout(call.timer);
      call.reject(error);
    }
  }

  #arm(id: number, call: PendingCall, timeoutMs: number): void {
    call.timer = setTimeout(() => {
      if (this.#isPaused()) {
        this.#arm(id, call, timeoutMs);
        return;
      }
      this.#calls.delete(id);
      this.#givenUp.add(id);
      call.reject(new ChatError('timeout', `${call.name}: no answer within ${timeoutMs} ms`));
    }, timeoutMs);
  }
}
