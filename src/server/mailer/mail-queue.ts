import type { Mail, Mailer } from '../../core/ports/mailer.ts';

/** A mailer that can be ended. */
export interface OpenMailer extends Mailer {
  /** Takes no more mail, gives what is under way `graceMs` to be sent, and forgets the rest. */
  close(graceMs: number): Promise<void>;
  figures(): MailFigures;
}

/** What waits to be sent, and what became of the rest. */
export interface MailFigures {
  /** For their turn, or for another try. */
  readonly waiting: number;
  readonly sent: number;
  readonly givenUp: number;
}

/** What became of a mail that was not sent, in words that may stand in a log: no secret, and of the address its domain alone. */
export interface MailFailure {
  readonly kind: Mail['kind'];
  readonly domain: string;
  /** How often it was tried. */
  readonly tries: number;
  readonly cause: string;
}

/** A failure to deliver, as the transport judges it. */
export interface DeliveryError {
  /** True when the same mail may go through later. */
  readonly isPassing: boolean;
  /** Safe for a log. */
  readonly cause: string;
}

/** What a queue of mail is made of. */
export interface MailQueueParts {
  /** Sends one mail; rejects with anything that `judge` can read. */
  deliver(mail: Mail): Promise<void>;
  judge(error: unknown): DeliveryError;
  /** How long to wait before each further try, in milliseconds; after the last one a mail is given up. */
  readonly waitsMs: readonly number[];
  /** Mails under way at once. */
  readonly atOnce: number;
  /** Mails waiting, for their turn or for another try; one more is given up at once. */
  readonly maxWaiting: number;
  /** Told of each mail that is given up. */
  readonly onGivenUp: (failure: MailFailure) => void;
}

/** One mail with what has become of it so far. */
interface Queued {
  readonly mail: Mail;
  tries: number;
}

/** Sends mail in the background, in the order in which it came, a few at a time; tries again what may go through later. */
export function createMailQueue(parts: MailQueueParts): OpenMailer {
  const { deliver, judge, waitsMs, atOnce, maxWaiting, onGivenUp } = parts;
  const ready: Queued[] = [];
  const later = new Map<Queued, ReturnType<typeof setTimeout>>();
  let underWay = 0;
  let sent = 0;
  let givenUp = 0;
  let isClosed = false;
  let onIdle = (): void => {};

  function giveUp({ mail, tries }: Queued, cause: string): void {
    givenUp += 1;
    onGivenUp({ kind: mail.kind, domain: mail.to.slice(mail.to.lastIndexOf('@') + 1), tries, cause });
  }

  function next(): void {
    while (underWay < atOnce) {
      const queued = ready.shift();
      if (!queued) break;
      underWay += 1;
      void attempt(queued);
    }
    if (underWay === 0) onIdle();
  }

  async function attempt(queued: Queued): Promise<void> {
    queued.tries += 1;
    try {
      await deliver(queued.mail);
      sent += 1;
    } catch (error) {
      const { isPassing, cause } = judge(error);
      const waitMs = waitsMs[queued.tries - 1];
      if (!isPassing || waitMs === undefined || isClosed) giveUp(queued, cause);
      else
        later.set(
          queued,
          setTimeout(() => {
            later.delete(queued);
            ready.push(queued);
            next();
          }, waitMs),
        );
    }
    underWay -= 1;
    next();
  }

  return {
    send(mail) {
      const queued = { mail, tries: 0 };
      if (isClosed) return giveUp(queued, 'the server is ending');
      if (ready.length + later.size >= maxWaiting) return giveUp(queued, 'too many mails are waiting');
      ready.push(queued);
      next();
    },
    figures: () => ({ waiting: ready.length + later.size + underWay, sent, givenUp }),
    async close(graceMs) {
      isClosed = true;
      for (const [queued, timer] of later) {
        clearTimeout(timer);
        giveUp(queued, 'the server is ending');
      }
      later.clear();
      if (underWay > 0 || ready.length > 0) {
        const idle = Promise.withResolvers<void>();
        onIdle = idle.resolve;
        const timer = setTimeout(idle.resolve, graceMs);
        await idle.promise;
        clearTimeout(timer);
      }
      for (const queued of ready.splice(0)) giveUp(queued, 'the server is ending');
    },
  };
}
