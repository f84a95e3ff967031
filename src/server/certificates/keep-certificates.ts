import { ChatError } from '../../core/errors.ts';
import type { Log } from '../log.ts';
import type { Certificates } from './certificates.ts';

/** What the certificates of a running server are kept with. */
export interface KeepCertificatesOptions {
  /** Opens them, renews those that are due, and says which; the first time it makes what is missing, later it throws then. */
  read(isFirst: boolean): Promise<Certificates>;
  readonly log: Log;
}

/** A server's certificates, which do not run out while it runs. */
export interface CertificateKeeper {
  /** Those of the last time that they could be read. */
  readonly current: Certificates;
  /** Hands other ones to `use` from now on: they are looked at each hour, and renewed or read again when they are due. */
  begin(use: (certificates: Certificates) => void): void;
  /** Reads them again, due or not, as an operator has asked for by SIGHUP. */
  readAgain(): void;
  /** Ends it; resolves when nothing of it is under way. */
  stop(): Promise<void>;
}

/** How often it is looked whether they are due, in milliseconds: a timer for when they are would be longer than a timer can be. */
const lookMs = 3_600_000;

/**
 * Reads a server's certificates, and keeps them fresh from {@link CertificateKeeper.begin} on. Throws what the first read throws; when a later
 * one fails, the server goes on with those that it has, and tries again within the hour if they are due.
 */
export async function keepCertificates({ read, log }: KeepCertificatesOptions): Promise<CertificateKeeper> {
  let current = await read(true);
  let replace: ((certificates: Certificates) => void) | undefined;
  let timer: ReturnType<typeof setInterval> | undefined;
  /** One after the other: each may write files. */
  let reading: Promise<void> = Promise.resolve();
  /** What is doubtful is said once, until somebody asks. */
  let said: readonly string[] = [];

  function tell({ notes, doubts }: Certificates): void {
    for (const note of notes) log.info('certificates', { note });
    for (const note of doubts) if (!said.includes(note)) log.warn('certificates', { note });
    said = doubts;
  }

  /** `signal` is whoever asks; otherwise it is time. */
  async function again(signal?: 'SIGHUP'): Promise<void> {
    if (!replace) return;
    const asked = signal && { signal };
    try {
      if (asked) said = [];
      const before = current;
      const next = await read(false);
      tell(next);
      if (!asked && areSame(before, next)) return;
      current = next;
      replace?.(next);
      const { fingerprint } = next;
      const note = 'the server goes on, with the certificates as they are now';
      log.info('certificates-read', { ...asked, fingerprint, note });
    } catch (error) {
      const why = error instanceof ChatError ? error.message : String(error);
      const note = 'the server goes on with the certificates that it has';
      log.warn('certificates-kept', { ...asked, note, why });
    }
  }

  function queue(signal?: 'SIGHUP'): void {
    reading = reading.then(() => again(signal));
  }

  tell(current);
  return {
    get current() {
      return current;
    },
    begin(use) {
      replace = use;
      timer = setInterval(() => {
        if (Date.now() >= current.dueAt) queue();
      }, lookMs);
      timer.unref();
    },
    readAgain: () => queue('SIGHUP'),
    async stop() {
      clearInterval(timer);
      replace = undefined;
      await reading;
    },
  };
}

/** Whether clients would see the same: one of the operator's may be due, and nobody has brought another one yet. A chain has its key in it. */
function areSame(one: Certificates, other: Certificates): boolean {
  return one.chain === other.chain && one.authority.certificate === other.authority.certificate;
}
