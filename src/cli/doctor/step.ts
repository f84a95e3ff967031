import { ChatError } from '../../core/errors.ts';
import type { Finding } from '../findings.ts';

/** Part of what the doctor looks at; answers what it found, and may throw a `ChatError` for what fails as a whole. */
export interface Step {
  /** What its failure is called. */
  readonly check: string;
  readonly limitMs: number;
  run(): Promise<readonly Finding[]>;
}

export function fine(check: string, message: string): Finding {
  return { check, status: 'ok', message };
}

export function doubtful(check: string, message: string): Finding {
  return { check, status: 'warn', message };
}

export function failed(check: string, { code, message }: Pick<ChatError, 'code' | 'message'>): Finding {
  return { check, status: 'fail', message, code };
}

/** Runs a step for no longer than it may take: what it has not found until then is a failure. Never rejects for a `ChatError`. */
export async function runStep({ check, limitMs, run }: Step): Promise<readonly Finding[]> {
  const { promise, resolve } = Promise.withResolvers<readonly Finding[]>();
  const timer = setTimeout(() => {
    const message = `nothing came of this within ${limitMs / 1_000} s; look at the disk or the network behind it`;
    resolve([failed(check, { code: 'unavailable', message })]);
  }, limitMs);
  try {
    return await Promise.race([run(), promise]);
  } catch (error) {
    if (!(error instanceof ChatError)) throw error;
    // `timeout` (exit 10) is for `tail --timeout` alone.
    const code = error.code === 'timeout' ? 'unavailable' : error.code;
    return [failed(check, { code, message: error.message })];
  } finally {
    clearTimeout(timer);
  }
}
