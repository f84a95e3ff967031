import { makeKey } from '../../src/cli/certificate-files.ts';
import { makeRequest } from '../../src/cli/certificate-request.ts';
import { loginByCertificate, registerByCertificate } from '../../src/client/certificate.ts';
import { type ClientCertificate, type Connection, connect } from '../../src/client/connection.ts';
import { type Figure, figureOf } from './figure.ts';
import type { Lab } from './lab.ts';
import { inTurn } from './rounds.ts';

const lanes = 16;
const username = 'bench-key';

/**
 * Logins by certificate per second, each on a TLS connection of its own as a command makes it, beside such connections alone; and those
 * beside ones that show no certificate: what the client's certificate and the proof of its key cost both ends of a handshake.
 */
export async function certificateLogins(lab: Lab, rounds: number, seconds: number): Promise<Figure[]> {
  const certificate = await registered(lab);
  const ping = async (connection: Connection): Promise<void> => {
    await connection.call('ping', {});
  };
  const taken = await inTurn(rounds, {
    bare: () => perSecond(() => openTls(lab), ping, seconds),
    shown: () => perSecond(() => openTls(lab, certificate), ping, seconds),
    logins: () =>
      perSecond(
        () => openTls(lab, certificate),
        async (connection) => {
          await loginByCertificate(connection, { username });
          await connection.call('session.end', {});
        },
        seconds,
      ),
  });
  return [
    figureOf({
      name: 'TLS connections that show a certificate, with a ping (and its client)',
      unit: '/s',
      values: taken.shown,
      floor: { name: 'the same without a certificate', values: taken.bare },
    }),
    figureOf({
      name: 'logins by certificate, each on a new TLS connection (with logout)',
      unit: '/s',
      values: taken.logins,
      floor: { name: 'such connections with a ping alone', values: taken.shown },
    }),
  ];
}

/** An account that has a key alone. */
async function registered(lab: Lab): Promise<ClientCertificate> {
  const key = makeKey();
  const connection = await openTls(lab);
  const request = await makeRequest(key, username);
  const { signed } = await registerByCertificate(connection, { username, request, label: 'bench' });
  await connection.close();
  if (!signed) throw new Error('the server has signed nothing');
  return { certificate: signed.certificate, key };
}

/** How often a second connections are made, used and closed, some at a time. */
async function perSecond(
  open: () => Promise<Connection>,
  use: (connection: Connection) => Promise<void>,
  seconds: number,
): Promise<number> {
  let count = 0;
  const start = performance.now();
  const lane = async (): Promise<void> => {
    while (performance.now() < start + seconds * 1_000) {
      const connection = await open();
      await use(connection);
      await connection.close();
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return (count / (performance.now() - start)) * 1_000;
}

function openTls({ port }: Lab, certificate?: ClientCertificate): Promise<Connection> {
  return connect({
    server: { scheme: 'chat', host: '127.0.0.1', port },
    timeoutMs: 10_000,
    checkIdentity: async () => {},
    certificate,
  });
}
