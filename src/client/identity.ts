import { createHash, X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';

/** Who a TLS server is: the key in its certificate, which outlives the certificate (security 1.4 and 2). */
export interface ServerIdentity {
  /** The public key of the certificate that it showed, DER SPKI. */
  readonly spki: Uint8Array;
  /** `SHA256:` and the base64 of SHA-256(spki) without padding, as ssh prints keys. */
  readonly fingerprint: string;
  /** True when the certificate leads to a root that this system trusts and names the host that was asked for. */
  readonly trustedBySystem: boolean;
}

/** The label and the length of RFC 9266 section 2; its context is empty, which in TLS 1.3 is the same as none. */
const exporter = { label: 'EXPORTER-Channel-Binding', bytes: 32 } as const;

/** The fingerprint of a key, as it is shown, pinned and compared. */
export function fingerprintOf(spki: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(spki).digest('base64').replace(/=+$/, '')}`;
}

/** Who is at the other end of a finished handshake; undefined for a server that showed no certificate. */
export function identityOf(socket: TLSSocket): ServerIdentity | undefined {
  const { raw } = socket.getPeerCertificate(false);
  if (!(raw instanceof Uint8Array)) return undefined;
  const spki = new X509Certificate(raw).publicKey.export({ type: 'spki', format: 'der' });
  // `authorized` is about the chain and the host name both, because `checkServerIdentity` is left in place.
  return { spki, fingerprint: fingerprintOf(spki), trustedBySystem: socket.authorized };
}

/** What a login over this socket can be bound to; only TLS 1.3 has it (security 1.6). */
export function channelBindingOf(socket: TLSSocket): Uint8Array | undefined {
  if (socket.getProtocol() !== 'TLSv1.3') return undefined;
  return socket.exportKeyingMaterial(exporter.bytes, exporter.label, Buffer.alloc(0));
}
