import { command, noOperands } from '../command.ts';
import { usageError } from '../options.ts';

/** What administrators do. */
export const admin = command({
  usage: [
    'admin claim [CODE]',
    'admin users',
    'admin disable|enable|revoke USER',
    'admin grant USER [flags]',
    'admin invite [--uses N] [--expires DURATION]',
    'admin invites [revoke ID]',
    'admin reset USER [flags]',
    'admin totp off USER [flags]',
    'admin certificates USER',
    'admin stats',
    'admin backup',
    'admin check [NAME]',
    'admin audit [flags]',
    'admin export-store DIRECTORY --data DIR',
    'admin import-store DIRECTORY --store URL --cluster-secret FILE',
  ],
  description:
    'Administers a server, over the network and as an account like any other. The first administrator is made with a code ' +
    'that the server prints when it starts and has none.',
  options: {},
  operands: noOperands,
  examples: [['chat admin claim', 'asks for the code and makes this account the first administrator']],
  subcommands: [
    {
      name: 'claim',
      summary: 'become the first administrator',
      load: async () => (await import('./admin/claim.ts')).claim,
    },
    {
      name: 'users',
      summary: 'list the accounts',
      load: async () => (await import('./admin/users.ts')).users,
    },
    {
      name: 'audit',
      summary: 'show the audit trail, follow it, check that it is whole',
      load: async () => (await import('./admin/audit.ts')).audit,
    },
    {
      name: 'disable',
      summary: 'let nobody log in to an account',
      load: async () => (await import('./admin/account.ts')).disable,
    },
    {
      name: 'enable',
      summary: 'let an account be used again',
      load: async () => (await import('./admin/account.ts')).enable,
    },
    {
      name: 'grant',
      summary: 'make an account an administrator',
      load: async () => (await import('./admin/grant.ts')).grant,
    },
    {
      name: 'revoke',
      summary: 'make an account no administrator any more',
      load: async () => (await import('./admin/account.ts')).revoke,
    },
    {
      name: 'reset',
      summary: 'print a code that sets a new password',
      load: async () => (await import('./admin/reset.ts')).reset,
    },
    {
      name: 'totp',
      summary: 'take the second factor of an account away',
      load: async () => (await import('./admin/totp.ts')).totp,
    },
    {
      name: 'certificates',
      summary: "list an account's certificates, revoke them",
      load: async () => (await import('./admin/certificates.ts')).certificates,
    },
    {
      name: 'invite',
      summary: 'print a code to register with',
      load: async () => (await import('./admin/invite.ts')).invite,
    },
    {
      name: 'invites',
      summary: 'list invites, take them back',
      load: async () => (await import('./admin/invites.ts')).invites,
    },
    {
      name: 'stats',
      summary: 'print how much the server holds, and how it is',
      load: async () => (await import('./admin/stats.ts')).stats,
    },
    {
      name: 'backup',
      summary: "copy the database on the server's machine",
      load: async () => (await import('./admin/backup.ts')).backup,
    },
    {
      name: 'check',
      summary: 'look for damage in the database or a backup',
      load: async () => (await import('./admin/check.ts')).check,
    },
    {
      name: 'export-store',
      summary: 'write all that an embedded server keeps into a directory, to move it',
      load: async () => (await import('./admin/export-store.ts')).exportStore,
    },
    {
      name: 'import-store',
      summary: 'put what export-store has written into PostgreSQL',
      load: async () => (await import('./admin/import-store.ts')).importStore,
    },
  ],
  async run() {
    throw usageError('chat admin takes a subcommand: see chat admin --help');
  },
});
