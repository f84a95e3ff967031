import { canPrompt, type Host } from './host.ts';

/** How a person is asked for an invite; undefined where there is nobody to ask, and the server says that one is needed. */
export function inviteFrom(host: Host): (() => Promise<string>) | undefined {
  if (!canPrompt(host)) return undefined;
  return async () => (await host.prompts.text('Invite (ask an administrator)')).trim();
}
