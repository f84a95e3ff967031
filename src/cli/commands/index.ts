import type { CommandEntry } from '../command.ts';

/** Every subcommand, in the order of the help within each group; a file is loaded when its command is the one that was typed. */
export const commands: readonly CommandEntry[] = [
  {
    name: 'serve',
    summary: 'run the server',
    group: 'Server',
    load: async () => await (await import('./serve.ts')).loadServe(),
  },
  {
    name: 'admin',
    summary: 'administer a server',
    group: 'Server',
    load: async () => (await import('./admin.ts')).admin,
  },
  {
    name: 'register',
    summary: 'create an account and log in',
    group: 'Account',
    load: async () => (await import('./register.ts')).register,
  },
  {
    name: 'login',
    summary: 'log in and remember it',
    group: 'Account',
    load: async () => (await import('./login.ts')).login,
  },
  {
    name: 'logout',
    summary: 'end the session',
    group: 'Account',
    load: async () => (await import('./logout.ts')).logout,
  },
  {
    name: 'whoami',
    summary: 'print who is logged in',
    group: 'Account',
    load: async () => (await import('./whoami.ts')).whoami,
  },
  {
    name: 'send',
    summary: 'send a message',
    group: 'Messages',
    load: async () => (await import('./send.ts')).send,
  },
  {
    name: 'outbox',
    summary: 'messages kept to be sent later',
    group: 'Messages',
    load: async () => (await import('./outbox.ts')).outbox,
  },
  {
    name: 'tail',
    summary: 'print messages and follow',
    group: 'Messages',
    load: async () => (await import('./tail.ts')).tail,
  },
  {
    name: 'search',
    summary: 'find messages by their words',
    group: 'Messages',
    load: async () => (await import('./search.ts')).search,
  },
  {
    name: 'users',
    summary: 'list who is online',
    group: 'People and rooms',
    load: async () => (await import('./users.ts')).users,
  },
  {
    name: 'rooms',
    summary: 'list the rooms',
    group: 'People and rooms',
    load: async () => (await import('./rooms.ts')).rooms,
  },
  {
    name: 'room',
    summary: 'about one room',
    group: 'People and rooms',
    load: async () => (await import('./room.ts')).room,
  },
  {
    name: 'join',
    summary: 'join a room',
    group: 'People and rooms',
    load: async () => (await import('./join.ts')).join,
  },
  {
    name: 'leave',
    summary: 'leave a room',
    group: 'People and rooms',
    load: async () => (await import('./leave.ts')).leave,
  },
  {
    name: 'account',
    summary: 'show or change the account',
    group: 'Account',
    load: async () => (await import('./account.ts')).account,
  },
  {
    name: 'sessions',
    summary: 'list or revoke own sessions',
    group: 'Account',
    load: async () => (await import('./sessions.ts')).sessions,
  },
  {
    name: 'token',
    summary: 'print a session token for another door',
    group: 'Account',
    load: async () => (await import('./token.ts')).token,
  },
  {
    name: 'hash-password',
    summary: 'print a hashed password for the pipe door',
    group: 'Account',
    load: async () => (await import('./hash-password.ts')).hashPassword,
  },
  {
    name: 'context',
    summary: 'names for servers and logins',
    group: 'Settings',
    load: async () => (await import('./context.ts')).context,
  },
  {
    name: 'config',
    summary: 'print or change settings',
    group: 'Settings',
    load: async () => (await import('./config.ts')).config,
  },
  {
    name: 'doctor',
    summary: 'find out why something does not work',
    group: 'Settings',
    load: async () => (await import('./doctor.ts')).doctor,
  },
  {
    name: 'completion',
    group: 'Settings',
    summary: 'print the script for Tab in a shell',
    load: async () => (await import('./completion.ts')).completion,
  },
  {
    name: 'complete',
    summary: 'print what could stand at the cursor',
    hidden: true,
    load: async () => (await import('./complete.ts')).complete,
  },
];
