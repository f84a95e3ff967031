import { hkdfSync } from 'node:crypto';

/** What the nodes of one cluster, and nobody else, can make of their secret and their realm. */
export interface ClusterKeys {
  /** Begins every key and channel of this cluster in Redis, with a colon at its end; no other cluster has the same. */
  readonly prefix: string;
  /** 32 bytes for one purpose, always the same ones; they are good for no other. */
  derive(purpose: string): Buffer;
}

/** Derives (HKDF-SHA-256) what the nodes share; `secret` has at least 32 bytes, `realm` is the one of the store. */
export function clusterKeys(secret: Uint8Array, realm: string): ClusterKeys {
  const derive = (purpose: string, bytes = 32): Buffer =>
    Buffer.from(hkdfSync('sha256', secret, realm, `chat redis ${purpose}`, bytes));
  return {
    // The realm is for people to read, and for access rules; what is derived keeps two copies of one store apart that have two secrets.
    prefix: `chat:${realm}:${derive('prefix', 8).toString('hex')}:`,
    derive: (purpose) => derive(purpose),
  };
}
