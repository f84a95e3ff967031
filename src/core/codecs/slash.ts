import { parseSessionToken } from '../crypto/tokens.ts';
import type { ChatError } from '../errors.ts';
import { escapeForTerminal } from '../escape.ts';
import type { ChatEvent, EventCodec } from '../events.ts';
import { instantText } from '../model/instant.ts';
import { endedError } from '../session-end.ts';
import { bodyNote } from './body-note.ts';
import {
  callRequest,
  type TextCall,
  type TextCodec,
  type TextRequest,
  type TextSource,
  type TextState,
} from './text-request.ts';

/** Public messages that a login shows at most of those that were missed (five-systems, section 5). */
const maxMissedPublic = 100;

/** What a login goes on with: what was missed, then what is said from now on. */
const catchUp: TextCall = {
  operation: 'conversation.catch-up',
  params: { last: maxMissedPublic },
  answer: () => undefined,
  refuse: (error) => errorLine(error.message),
};

const commands = new Map<string, (words: string, from: TextSource) => TextRequest>(
  Object.entries<(words: string, from: TextSource) => TextRequest>({
    '/register'(words, { hasCertificate }) {
      const { name, rest } = split(words);
      if (name === '') return errorAnswer('a name is needed: /register NAME PASSWORD');
      if (rest === '' && !hasCertificate) return errorAnswer('a password or a client certificate is needed');
      return callRequest({
        operation: 'account.register',
        params: rest === '' ? { username: name, certificate: true } : { username: name, password: rest },
        answer: () => 'Registration Succeeded',
        refuse: registerRefusal,
      });
    },
    '/login'(words, { hasCertificate }) {
      const { name: username, rest } = split(words);
      const spellings = {
        answer: () => 'Authentication Succeeded',
        refuse: loginRefusal,
        after: catchUp,
      };
      if (rest === '' && hasCertificate) {
        return callRequest({
          operation: 'login.certificate',
          params: { username, ends_with_connection: true },
          ...spellings,
        });
      }
      return parseSessionToken(rest)
        ? callRequest({
            operation: 'login.resume',
            params: { username, session_token: rest },
            ...spellings,
          })
        : callRequest({
            operation: 'login.password',
            // Its token is shown to nobody.
            params: { username, password: rest, ends_with_connection: true },
            ...spellings,
          });
    },
    '/otp': (words) =>
      callRequest({
        operation: 'login.second-factor',
        params: { otp: words },
        answer: () => 'Authentication Succeeded',
        refuse: (error, { isLoggedIn }) =>
          errorLine(isLoggedIn ? 'user is already logged in' : error.message),
        after: catchUp,
      }),
    '/users': (words) =>
      words === ''
        ? callRequest({
            operation: 'user.list',
            params: {},
            next: ({ next }) => (next === null ? undefined : { after: next }),
            answer: (pages) => pages.flatMap(({ users }) => users.map(({ username }) => username)).join(' '),
            refuse: refusal,
          })
        : unknownCommand,
    '/exit': (words) => (words === '' ? { kind: 'close' } : unknownCommand),
  }),
);

const unknownCommand: TextRequest = errorAnswer('unknown command');

const encoder = new TextEncoder();

/** Messages as people read them, and the last word to a connection that is ended; nothing of the other events. */
const slashEvents: EventCodec = {
  name: 'slash',
  encode(events) {
    let text = '';
    for (const event of events) text += eventLine(event);
    return encoder.encode(text);
  },
};

/** Document 5's language (five-systems, section 5): commands that begin with `/`, `@user text`, and public text. */
export const slashCodec: TextCodec = {
  door: 'slash',
  events: slashEvents,
  tellsEventsFirst: true,
  read(line, from = { hasCertificate: false }) {
    if (line.startsWith('/')) {
      const { name, rest } = split(line);
      return commands.get(name)?.(rest, from) ?? unknownCommand;
    }
    if (!line.startsWith('@')) return send('#lobby', line);
    const { name, rest } = split(line);
    return send(name, rest);
  },
  spell: (error) => errorLine(error.message),
};

function send(to: string, text: string): TextRequest {
  // Its own line, which comes back when it has been stored, is the answer.
  return callRequest({
    operation: 'message.send',
    params: { to, text },
    answer: () => undefined,
    refuse: refusal,
  });
}

function eventLine(event: ChatEvent): string {
  switch (event.type) {
    case 'message': {
      const { sentAt, sender, recipient, body } = event;
      const time = instantText(sentAt).slice(0, 19).replace('T', ' ');
      const addressed = recipient === undefined ? '' : `@${recipient} `;
      const text = 'text' in body ? escapeForTerminal(body.text) : bodyNote(body);
      return `${time} ${sender}: ${addressed}${text}\n`;
    }
    case 'session-ended':
      return `${slashCodec.spell(endedError(event.reason))}\n`;
    case 'presence':
    case 'account-notice':
    case 'lagging':
    case 'caught-up':
      return '';
  }
}

/** The first word, and all that stands after the one space that follows it: a password may begin and end with spaces. */
function split(words: string): { name: string; rest: string } {
  const trimmed = words.trimStart();
  const end = trimmed.search(/\s/);
  return end < 0
    ? { name: trimmed, rest: '' }
    : { name: trimmed.slice(0, end), rest: trimmed.slice(end + 1) };
}

function registerRefusal({ code, message, details }: ChatError): string {
  const isKeyTaken = details.field === 'certificate';
  return errorLine(code === 'conflict' && !isKeyTaken ? 'user already exists' : message);
}

function loginRefusal(error: ChatError, { isLoggedIn }: TextState): string {
  if (isLoggedIn) return errorLine('user is already logged in');
  switch (error.code) {
    case 'unauthenticated':
    // A name or password of a form that no account has, or none at all.
    case 'invalid':
      return errorLine('invalid credentials');
    case 'second-factor-required':
      return errorLine('second factor required');
    default:
      return errorLine(error.message);
  }
}

function refusal(error: ChatError): string {
  if (error.code === 'unauthenticated') return errorLine('not logged in');
  if (error.code === 'not-found' || error.details.field === 'to') return errorLine('no such user');
  return errorLine(error.message.replace(/^text: /, ''));
}

function errorAnswer(text: string): TextRequest {
  return { kind: 'answer', text: errorLine(text) };
}

function errorLine(text: string): string {
  return `error: ${text}`;
}
