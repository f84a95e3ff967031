import { scrypt } from 'node:crypto';
import { utf8 } from '../../core/crypto/bytes.ts';
import { type PasswordStretch, scryptCost } from '../../core/e2ee/key-backup.ts';
import { parsePassword } from '../../core/model/password.ts';

/** What a backup's password is stretched by (RFC 7914), beside the main thread: half a second and 128 MB. */
export const stretchForBackup: PasswordStretch = (password, salt) =>
  new Promise((resolve, reject) => {
    const { N, r, p, dkLen } = scryptCost;
    // The limit is of bytes that are in use: the large array and a little more.
    const maxmem = 128 * N * r * p + 1_048_576;
    scrypt(utf8(parsePassword(password)), salt, dkLen, { N, r, p, maxmem }, (error, key) => {
      if (error) reject(error);
      else resolve(new Uint8Array(key));
    });
  });
