import type { WireMessage } from './frames.ts';
import type { OpenedMessage } from './keys/private-messages.ts';

/** Why a message's text is not shown that no server has spoiled. */
const lockedWhy: Readonly<
  Record<Extract<OpenedMessage, { kind: 'locked' }>['by'], (sender: string) => string>
> = {
  newer: () => 'it is for newer keys of this account; chat login brings them here',
  lost: () => 'it is for keys of this account from before its new identity, which are lost',
  replaced: (sender) => `it is signed by an identity that ${sender} has replaced`,
};

/** An encrypted message as its reader gets it: with its text in place of the envelope, or with the reason why there is none. */
export function withOpened(
  message: WireMessage & { readonly envelope: string },
  opened: OpenedMessage,
): WireMessage {
  if (opened.kind === 'locked')
    return { ...message, unsealed: { kind: 'locked', why: lockedWhy[opened.by](message.sender) } };
  if (opened.kind === 'failed') return { ...message, unsealed: opened };
  const { envelope: _envelope, ...rest } = message;
  return {
    ...rest,
    text: opened.text,
    unsealed: {
      kind: opened.isVerified ? 'verified' : 'encrypted',
      ...(opened.isStale && { stale: true as const }),
    },
  };
}
