import { type Offer, tlsExporter } from '../crypto/scram-messages.ts';
import { chatSuite } from '../crypto/verifier.ts';
import type { Channel } from '../peer.ts';

/** What a server offers on a connection: its one suite, and to bind to TLS where that can be done (security 1.6). */
export function loginOffer(channel: Channel): Offer {
  return { suites: [chatSuite], bindings: channel.tlsExporter ? [tlsExporter] : [] };
}
