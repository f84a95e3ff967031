import type { OneTimeCode } from '../../../src/core/one-time-code.ts';
import type { Mail, Mailer } from '../../../src/core/ports/mailer.ts';

/** What a server has sent, in order, instead of a network. */
export interface Mailbox {
  readonly mails: Mail[];
  readonly mail: { readonly mailer: Mailer; readonly server: string | undefined };
  /** The code in the newest mail. */
  code(): OneTimeCode;
}

/** A mailer that keeps what it is given. */
export function mailbox(server: string | undefined = 'chat.example:8080'): Mailbox {
  const mails: Mail[] = [];
  return {
    mails,
    mail: { mailer: { send: (mail) => void mails.push(mail) }, server },
    code() {
      const code = codeIn(mails.at(-1)?.text ?? '');
      if (code === undefined) throw new Error('the newest mail has no code');
      return code;
    },
  };
}

/** The one code that a text has. */
export function codeIn(text: string): OneTimeCode | undefined {
  return /\b(?:[0-9A-Z]{4}-){6}[0-9A-Z]{4}\b/.exec(text)?.[0] as OneTimeCode | undefined;
}
