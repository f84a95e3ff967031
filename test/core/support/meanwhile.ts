import { auditChain } from '../../../src/core/audit-chain.ts';
import { verifierFrom } from '../../../src/core/crypto/verifier.ts';
import { parseUsername } from '../../../src/core/model/username.ts';
import type { Store } from '../../../src/core/ports/store.ts';
import { authSecret } from './chat.ts';

const chain = auditChain({ realm: 'chat.example', serverSecret: new Uint8Array(32) });

/** What may become of an account while its secret is being proven. */
export type Happening = 'changed' | 'removed' | 'disabled' | 'put down to be erased';

/** Makes it so in the store, as another connection or another node would. */
export async function happens(store: Store, what: Happening, name: string): Promise<void> {
  const username = parseUsername(name);
  const found = await store.credential(username);
  if (!found) throw new Error(`nobody is called ${name}`);
  const { account, verifier } = found;
  const userId = account.id;
  const now = Date.now();
  if (what === 'changed') {
    const { salt, cost, storedKey } = verifier;
    const next = verifierFrom(await authSecret(name, 'a new horse, a new staple', salt, cost), salt, cost);
    await store.replaceVerifier({ userId, replaces: storedKey, verifier: next });
  } else if (what === 'disabled') {
    await store.disableAccount({ username, now });
  } else {
    const isRemoved = what === 'removed';
    await store.requestErasure({ userId, dueAt: isRemoved ? now : now + 3_600_000 });
    if (isRemoved) while ((await store.eraseNext({ now, skip: 0, chain })).kind !== 'none');
  }
}
