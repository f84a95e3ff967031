import type { Username } from './model/username.ts';
import type { OneTimeCode } from './one-time-code.ts';
import type { Mail } from './ports/mailer.ts';

/** What every mail of an account may speak of. */
export interface MailFacts {
  readonly to: string;
  readonly username: Username;
  /** `HOST:PORT` for the commands to type, if it is known. */
  readonly server: string | undefined;
}

/** Asks the owner of an address to say that it is theirs. */
export function verificationMail(
  { to, username, server }: MailFacts,
  { code, expiresAt }: { code: OneTimeCode; expiresAt: number },
): Mail {
  return mail('verify-email', to, 'Confirm your e-mail address', [
    `This address was given for the chat account ${username}${at(server)}.`,
    'If it is yours, type in a terminal where you are logged in:',
    command(`chat account email --verify ${code}`, server),
    `The code works once, until ${moment(expiresAt)}.`,
    'If you know nothing of this, do nothing: without the code the address\nstays unconfirmed, and is not used.',
  ]);
}

/** Lets the owner of a confirmed address set a new password. */
export function resetMail(
  { to, username, server }: MailFacts,
  { code, expiresAt }: { code: OneTimeCode; expiresAt: number },
): Mail {
  return mail('reset', to, 'A new password for your chat account', [
    `Somebody asked for a new password for the chat account ${username}${at(server)}.`,
    'If it was you, type in a terminal:',
    command(`chat reset ${username} --code`, server),
    'and when it asks for the code:',
    `    ${code}`,
    `The code works once, until ${moment(expiresAt)}. Give it to nobody.`,
    'If it was not you, do nothing: your password stays as it is.',
  ]);
}

/** Tells the owner of the address that was confirmed before that it is the account's no more. */
export function emailChangedMail({ to, username, server }: MailFacts, now: number): Mail {
  return mail('email-changed', to, 'The e-mail address of your chat account was changed', [
    `The chat account ${username}${at(server)} was given another e-mail\naddress on ${moment(now)}. This one gets no more mail from it.`,
    'If it was not you, change your password at once, or ask an administrator\nof the server for help:',
    command('chat account password', server),
  ]);
}

/** Tells the owner of a confirmed address that a code has set a new password. */
export function passwordResetMail({ to, username, server }: MailFacts, now: number): Mail {
  return mail('password-reset', to, 'The password of your chat account was set anew', [
    `A new password was set with a code for the chat account ${username}${at(server)}\non ${moment(now)}. All its sessions have ended.`,
    'If it was not you, ask for a code at once, or ask an administrator of the\nserver for help:',
    command(`chat reset ${username}`, server),
  ]);
}

/** Tells the owner of a confirmed address that the password was changed by who proved the old one. */
export function passwordChangedMail({ to, username, server }: MailFacts, now: number): Mail {
  return mail('password-changed', to, 'The password of your chat account was changed', [
    `The password of the chat account ${username}${at(server)}\nwas changed on ${moment(now)}. All its other sessions have ended.`,
    'If it was not you, ask for a code at once, or ask an administrator of the\nserver for help:',
    command(`chat reset ${username}`, server),
  ]);
}

/** Tells the owner of a confirmed address that an administrator took the second factor away. */
export function factorTakenMail({ to, username, server }: MailFacts, now: number): Mail {
  return mail('factor-taken', to, 'Your chat account has no second factor any more', [
    `An administrator took away the second factor of the chat account\n${username}${at(server)}\non ${moment(now)}. All its sessions have ended, and the next login asks\nfor the password alone.`,
    'If you asked for this, log in and set up another one:',
    command('chat totp on', server),
    'If you know nothing of this, ask the administrators of the server, and\nchange your password at once:',
    command('chat account password', server),
  ]);
}

function mail(kind: Mail['kind'], to: string, subject: string, paragraphs: readonly string[]): Mail {
  return { kind, to, subject, text: `${paragraphs.join('\n\n')}\n` };
}

function at(server: string | undefined): string {
  return server === undefined ? '' : `\nat ${server}`;
}

function command(words: string, server: string | undefined): string {
  return `    ${words}${server === undefined ? '' : ` --server ${server}`}`;
}

/** A time of day as people read it, in whole minutes, UTC. */
function moment(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
