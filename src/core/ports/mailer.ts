/** One mail to one address; plain text. */
export interface Mail {
  /** What it is for, for the log. */
  readonly kind:
    | 'verify-email'
    | 'reset'
    | 'email-changed'
    | 'password-reset'
    | 'password-changed'
    | 'factor-taken';
  readonly to: string;
  readonly subject: string;
  /** Lines parted by `\n`, the last one ended too. */
  readonly text: string;
}

/** Sends mail. */
export interface Mailer {
  /** Takes a mail, to be sent soon and tried again for a while when that fails; never throws and never waits. */
  send(mail: Mail): void;
}
