import type { AddressInfo } from 'node:net';
import PostalMime, { type Email } from 'postal-mime';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { onTestFinished } from 'vitest';

/** A mail as a mail server got it: what the conversation said, what the mail says, and its bytes. */
export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  readonly isSecure: boolean;
  readonly user: string | undefined;
  readonly raw: string;
  readonly mail: Email;
}

/** A real mail server on a port of its own. */
export interface MailServer {
  readonly port: number;
  readonly received: readonly ReceivedMail[];
  /** Resolves when so many mails have come. */
  count(mails: number): Promise<void>;
  /** Ends it; its port refuses connections then. */
  close(): Promise<void>;
}

/** Starts a mail server, which ends with the test or `atEnd`; without options it takes every mail, in clear text and without login. */
export async function mailServer(
  options: SMTPServerOptions = {},
  atEnd: (close: () => Promise<void>) => void = onTestFinished,
): Promise<MailServer> {
  const received: ReceivedMail[] = [];
  const waiting: Array<() => void> = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: options.key ? [] : ['STARTTLS'],
    disableReverseLookup: true,
    closeTimeout: 1,
    ...options,
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const raw = Buffer.concat(chunks).toString('utf8');
        const { mailFrom, rcptTo } = session.envelope;
        PostalMime.parse(raw).then((mail) => {
          received.push({
            from: mailFrom === false ? '' : mailFrom.address,
            to: rcptTo.map(({ address }) => address),
            isSecure: session.secure,
            user: session.user as string | undefined,
            raw,
            mail,
          });
          done();
          for (const look of waiting) look();
        }, done);
      });
    },
  });
  // A client that breaks off is what some of these tests are about.
  server.on('error', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (!isOpen) return;
    isOpen = false;
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  atEnd(close);
  return {
    port: (server.server.address() as AddressInfo).port,
    received,
    async count(mails) {
      while (received.length < mails) await new Promise<void>((resolve) => waiting.push(resolve));
    },
    close,
  };
}
