import { utf8 } from '../../../../src/core/crypto/bytes.ts';
import { nobleDigests } from '../../../../src/core/crypto/digests.ts';
import type { Policy } from '../../../../src/core/policy.ts';
import type { CertificateAuthority } from '../../../../src/core/ports/certificate-authority.ts';
import type { PasswordStretcher } from '../../../../src/core/ports/password-stretcher.ts';
import { FakePeer, openChat, type TestChat } from '../../../core/support/chat.ts';
import { connectClear, connectSecure, type TestClient } from '../../support/client.ts';
import { type Listening, listening } from '../../support/listening.ts';

/** Stretches in no time: what is under test here is not bcrypt. */
export const quickStretcher: PasswordStretcher = {
  stretch: async ({ realm, username, password, salt, cost }) =>
    nobleDigests.hmacSha256(salt, utf8(`${realm} ${username} ${password} ${cost}`)),
};

/** A real chat behind a real port; both are gone after the test. */
export interface ChatAtPort extends Listening {
  readonly t: TestChat;
  /** Makes an open account. */
  register(username: string, password: string): Promise<void>;
  connect(way?: 'tcp' | 'tls'): Promise<TestClient>;
}

/** Opens chat without limits on how often things may be done, behind a listener on a free port. */
export async function chatAtPort({
  policy,
  authority,
  ...options
}: Parameters<typeof listening>[0] & {
  policy?: Partial<Policy>;
  /** Left out: none signs certificates. */
  authority?: CertificateAuthority;
} = {}): Promise<ChatAtPort> {
  const t = await openChat({
    policy: {
      messagesPerSecond: 0,
      joinsPerMinute: 0,
      registrationsPerHour: 0,
      loginsPerMinute: 0,
      freeFailedLogins: 0,
      ...policy,
    },
    stretcher: quickStretcher,
    ...(authority && { authority }),
  });
  const open = await listening({ ...options, calls: t.chat, turn: t.turn });
  return {
    ...open,
    t,
    async register(username, password) {
      await t.call(new FakePeer(), 'account.register', { username, password });
    },
    connect: (way = 'tcp') =>
      way === 'tcp' ? connectClear(open.port, { allowHalfOpen: true }) : connectSecure(open.port),
  };
}
