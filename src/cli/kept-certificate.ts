import type { ClientCertificate } from '../client/connection.ts';

/** A certificate that is kept here with its key, both PEM. */
export interface KeptCertificate extends ClientCertificate {
  /** The first and the last moment of its validity, UTC milliseconds. */
  readonly validFrom: number;
  readonly expiresAt: number;
  /** True when a third of its life or less is left (security 2), and this server signs the next one. */
  readonly isDue: boolean;
  /** Where the certificate is. */
  readonly path: string;
}

/** The files of a certificate that was not made here, by absolute paths; one file may hold both. */
export interface NamedFiles {
  readonly certificate: string;
  readonly key: string;
}
