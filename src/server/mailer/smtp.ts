import { createTransport } from 'nodemailer';
import type { Mail } from '../../core/ports/mailer.ts';
import { createMailQueue, type DeliveryError, type MailFailure, type OpenMailer } from './mail-queue.ts';
import { isPlainAddress } from './plain-address.ts';
import type { SmtpServer } from './smtp-url.ts';

/** How mail leaves this server. */
export interface SmtpMailerOptions {
  readonly server: SmtpServer;
  /** The address that mails come from. */
  readonly from: string;
  readonly onGivenUp: (failure: MailFailure) => void;
  /** Left out: {@link retryWaitsMs}. */
  readonly waitsMs?: readonly number[];
  /** For each step of a conversation with the mail server, in milliseconds. */
  readonly stepMs?: number;
}

/** In all well under the hour that a code lives. */
const retryWaitsMs: readonly number[] = [5_000, 30_000, 120_000, 600_000];
/** How long a mail server may be silent. */
const silenceMs = 20_000;
const atOnce = 4;
const maxWaiting = 1_000;

/** What fails between here and the mail server, and may not the next time. */
const passing: ReadonlySet<string> = new Set(['ECONNECTION', 'ETIMEDOUT', 'ESOCKET', 'EDNS', 'EPROTOCOL']);

/**
 * Sends mail over SMTP (RFC 5321), each over a connection of its own. A mail server elsewhere than on this machine is spoken to over TLS
 * alone, with its certificate checked.
 */
export function smtpMailer(options: SmtpMailerOptions): OpenMailer {
  const { server, from, onGivenUp, waitsMs = retryWaitsMs, stepMs = silenceMs } = options;
  const { host, port, tls, login } = server;
  const transport = createTransport({
    host,
    port,
    secure: tls === 'always',
    requireTLS: tls === 'starttls',
    // On this machine nobody is in between, and certificates made out to `localhost` are rare.
    ...(tls === 'if-offered' && { tls: { rejectUnauthorized: false } }),
    ...(login && { auth: { user: login.user, pass: login.password } }),
    connectionTimeout: stepMs,
    greetingTimeout: stepMs,
    socketTimeout: stepMs,
    dnsTimeout: stepMs,
    // Nothing in a mail may name a file or an address to be read.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return createMailQueue({
    waitsMs,
    atOnce,
    maxWaiting,
    judge,
    onGivenUp,
    async deliver({ to, subject, text }: Mail) {
      // Checked when it was given; a line end here would be a header or a recipient more.
      if (!isPlainAddress(to)) throw new UnfitAddress();
      await transport.sendMail({
        from: { name: 'chat', address: from },
        to: { name: '', address: to },
        // What the conversation says, whatever the headers do.
        envelope: { from, to },
        subject,
        text,
        // Out-of-office answers would go to nobody (RFC 3834 section 5).
        headers: { 'Auto-Submitted': 'auto-generated' },
      });
    },
  });
}

class UnfitAddress extends Error {
  readonly code = 'EENVELOPE';
}

/** Judges what the transport throws. Replies of a mail server may repeat an address: of them only the numbers are kept. */
function judge(error: unknown): DeliveryError {
  const { code, responseCode, response } = error as {
    code?: string;
    responseCode?: number;
    response?: string;
  };
  if (typeof responseCode === 'number') {
    const enhanced = /^\d{3}[ -](\d\.\d{1,3}\.\d{1,3})/.exec(response ?? '')?.[1];
    const reply = enhanced === undefined ? `${responseCode}` : `${responseCode} ${enhanced}`;
    return { isPassing: responseCode >= 400 && responseCode < 500, cause: `${code ?? 'reply'} ${reply}` };
  }
  const name = code ?? (error instanceof Error ? error.name : 'unknown');
  return { isPassing: passing.has(name), cause: causeOf(name, error) };
}

/** The system's own words for a connection that failed name no address but the mail server's. */
function causeOf(name: string, error: unknown): string {
  const isOfSystem = name === 'ESOCKET' || name === 'ECONNECTION' || name === 'EDNS' || name === 'ETLS';
  return isOfSystem && error instanceof Error ? `${name} (${error.message.split('\n')[0]})` : name;
}
