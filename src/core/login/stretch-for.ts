import type { StretchInput } from '../crypto/stretch.ts';
import { addressKey } from '../model/address.ts';
import type { CallContext } from '../operation.ts';

/** Stretches a password that a caller has shown, for as long as the caller is there; answers its AuthSecret. */
export function stretchFor(
  { services, peer }: CallContext,
  input: Omit<StretchInput, 'realm'>,
): Promise<Uint8Array> {
  return services.stretcher.stretch(
    { ...input, realm: services.settings.realm },
    { owner: addressKey(peer.address), isWanted: () => !peer.isGone },
  );
}
