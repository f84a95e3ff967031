import { type AddressInfo, createServer, type Socket } from 'node:net';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Mail } from '../../../src/core/ports/mailer.ts';
import type { MailFailure } from '../../../src/server/mailer/mail-queue.ts';
import { smtpMailer } from '../../../src/server/mailer/smtp.ts';
import type { SmtpServer } from '../../../src/server/mailer/smtp-url.ts';
import { makeCertificate } from '../../client/support/certificate.ts';
import { mailServer } from '../support/mail-server.ts';

const mail: Mail = {
  kind: 'reset',
  to: 'alice@example.org',
  subject: 'A new password',
  text: 'Type this:\n\n    chat reset alice\n\n.\n..a line of dots\nÀ bientôt\n',
};

interface Sender {
  send(mail: Mail): void;
  readonly failures: MailFailure[];
  /** Resolves when so many mails have been given up. */
  givenUp(mails: number): Promise<void>;
  close(): Promise<void>;
}

/** A mailer to a port of this machine that tries three times in all, without waiting long. */
function sender(port: number, server: Partial<SmtpServer> = {}, stepMs = 5_000): Sender {
  const failures: MailFailure[] = [];
  const waiting: Array<() => void> = [];
  const mailer = smtpMailer({
    server: { host: '127.0.0.1', port, tls: 'if-offered', login: undefined, ...server },
    from: 'chat@chat.example',
    waitsMs: [1, 1],
    stepMs,
    onGivenUp(failure) {
      failures.push(failure);
      for (const look of waiting) look();
    },
  });
  onTestFinished(() => mailer.close(0));
  return {
    send: (one) => mailer.send(one),
    failures,
    async givenUp(mails) {
      while (failures.length < mails) await new Promise<void>((resolve) => waiting.push(resolve));
    },
    close: () => mailer.close(5_000),
  };
}

/** Trusts a certificate as one of a system's own, for the length of a test. */
function trust(cert: string): void {
  const before = getCACertificates('default');
  setDefaultCACertificates([...before, cert]);
  onTestFinished(() => setDefaultCACertificates(before));
}

/** A port that takes connections and does with them as it is told. */
async function rawServer(onSocket: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

const down = { kind: 'reset', domain: 'example.org', tries: 3 };

describe('a mail', () => {
  it('arrives as it was written, as plain text, from the server’s address', async () => {
    const server = await mailServer();
    sender(server.port).send(mail);
    await server.count(1);
    const [got] = server.received;
    expect([got?.from, got?.to, got?.isSecure]).toEqual(['chat@chat.example', ['alice@example.org'], false]);
    expect(got?.mail.text).toBe(mail.text);
    expect(got?.mail.html).toBeUndefined();
    expect(got?.mail.subject).toBe('A new password');
    expect(got?.mail.from).toEqual({ name: 'chat', address: 'chat@chat.example' });
    expect(got?.mail.to).toEqual([{ name: '', address: 'alice@example.org' }]);
    const headers = Object.fromEntries((got?.mail.headers ?? []).map(({ key, value }) => [key, value]));
    expect(headers['auto-submitted']).toBe('auto-generated');
    expect(headers['content-type']).toMatch(/^text\/plain; charset=utf-8/);
    expect(headers['message-id']).toMatch(/@chat\.example>$/);
  });

  it.each([
    ['to', { to: 'alice@example.org\r\nBcc: eve@example.org' }],
    ['to, with two recipients', { to: 'alice@example.org,eve@example.org' }],
    ['to, with a name', { to: 'Eve <eve@example.org>' }],
    ['to, with a command', { to: 'alice@example.org>\r\nRCPT TO:<eve@example.org' }],
  ])('whose address is more than an address is not sent: %s', async (_, other) => {
    const server = await mailServer();
    const from = sender(server.port);
    from.send({ ...mail, ...other });
    from.send(mail);
    await server.count(1);
    await from.givenUp(1);
    expect(from.failures).toMatchObject([{ kind: 'reset', tries: 1, cause: 'EENVELOPE' }]);
    expect(server.received.map(({ to }) => to)).toEqual([['alice@example.org']]);
  });

  it('makes no header and no recipient of what its subject and text say', async () => {
    const server = await mailServer();
    const injected = 'x\r\nBcc: eve@example.org\r\nX-Evil: 1\r\n\r\nanother body';
    sender(server.port).send({
      ...mail,
      subject: injected,
      text: `${injected}\r\n.\r\nRCPT TO:<eve@example.org>\r\n`,
    });
    await server.count(1);
    const [got] = server.received;
    expect(got?.to).toEqual(['alice@example.org']);
    expect(got?.mail.bcc).toBeUndefined();
    expect(got?.mail.headers.map(({ key }) => key)).not.toContain('x-evil');
    expect(got?.mail.text).toContain('RCPT TO:<eve@example.org>');
  });
});

describe('a mail server', () => {
  it('that wants a login gets one, over STARTTLS with a certificate that is trusted', async () => {
    const { cert, key } = await makeCertificate();
    trust(cert);
    const server = await mailServer({
      key,
      cert,
      authOptional: false,
      onAuth: ({ username, password }, _session, done) =>
        username === 'chat@chat.example' && password === 's3cret:/@'
          ? done(null, { user: username })
          : done(new Error('wrong')),
    });
    const login = { user: 'chat@chat.example', password: 's3cret:/@' };
    sender(server.port, { tls: 'starttls', login }).send(mail);
    await server.count(1);
    expect(server.received.map(({ isSecure, user }) => [isSecure, user])).toEqual([[true, login.user]]);
  });

  it('is spoken to over TLS from the first byte where it is said so', async () => {
    const { cert, key } = await makeCertificate();
    trust(cert);
    const server = await mailServer({ key, cert, secure: true });
    sender(server.port, { tls: 'always' }).send(mail);
    await server.count(1);
    expect(server.received[0]?.isSecure).toBe(true);
  });

  it.each(['starttls', 'always'] as const)(
    'whose certificate nobody vouches for gets no mail and no password: %s',
    async (tls) => {
      const { cert, key } = await makeCertificate();
      const shown: string[] = [];
      const server = await mailServer({
        key,
        cert,
        secure: tls === 'always',
        onAuth: ({ password }, _session, done) => {
          shown.push(password ?? '');
          done(null, { user: 'x' });
        },
      });
      const from = sender(server.port, { tls, login: { user: 'chat', password: 's3cret' } });
      from.send(mail);
      await from.givenUp(1);
      expect(from.failures[0]?.cause).toMatch(/certificate/);
      expect([server.received.length, shown]).toEqual([0, []]);
    },
  );

  it('that offers no STARTTLS gets nothing where it has to', async () => {
    const shown: string[] = [];
    const server = await mailServer({
      allowInsecureAuth: true,
      onAuth: ({ password }, _session, done) => {
        shown.push(password ?? '');
        done(null, { user: 'x' });
      },
    });
    const from = sender(server.port, { tls: 'starttls', login: { user: 'chat', password: 's3cret' } });
    from.send(mail);
    await from.givenUp(1);
    expect([server.received.length, shown]).toEqual([0, []]);
  });

  it('that refuses the login is not asked again, and the log has no secret', async () => {
    let logins = 0;
    const server = await mailServer({
      authOptional: false,
      allowInsecureAuth: true,
      onAuth: ({ username, password }, _session, done) => {
        logins += 1;
        done(new Error(`${username} ${password} is wrong`));
      },
    });
    const from = sender(server.port, { login: { user: 'chat-user', password: 's3cret' } });
    from.send(mail);
    await from.givenUp(1);
    expect(from.failures).toEqual([{ ...down, tries: 1, cause: 'EAUTH 535' }]);
    expect(logins).toBe(1);
  });

  it('that is down is asked again, and the mail given up in the end', async () => {
    const server = await mailServer();
    await server.close();
    const from = sender(server.port);
    from.send(mail);
    await from.givenUp(1);
    expect(from.failures).toEqual([
      { ...down, cause: expect.stringMatching(/^ESOCKET \(connect ECONNREFUSED 127\.0\.0\.1:\d+\)$/) },
    ]);
  });

  it('that refuses the recipient is not asked again, and the log has no address', async () => {
    const server = await mailServer({
      onRcptTo: ({ address }, _session, done) =>
        done(Object.assign(new Error(`5.1.1 no mailbox ${address}`), { responseCode: 550 })),
    });
    const from = sender(server.port);
    from.send(mail);
    await from.givenUp(1);
    expect(from.failures).toEqual([{ ...down, tries: 1, cause: 'EENVELOPE 550 5.1.1' }]);
    expect(JSON.stringify(from.failures)).not.toContain('alice');
  });

  it('that cannot take the recipient now is asked again, and then takes it', async () => {
    let asked = 0;
    const server = await mailServer({
      onRcptTo: (_address, _session, done) => {
        asked += 1;
        if (asked > 2) done();
        else done(Object.assign(new Error('4.2.1 come back later'), { responseCode: 450 }));
      },
    });
    const from = sender(server.port);
    from.send(mail);
    await server.count(1);
    await from.close();
    expect([asked, from.failures]).toEqual([3, []]);
  });

  it.each([
    ['says nothing', () => {}],
    ['begins to greet and stops', (socket: Socket) => void socket.write('220-almost\r\n')],
    ['greets and falls silent', (socket: Socket) => void socket.write('220 here\r\n')],
  ])('that %s is left after a while', async (_, onSocket) => {
    const port = await rawServer(onSocket);
    const from = sender(port, {}, 50);
    from.send(mail);
    await from.givenUp(1);
    expect(from.failures).toEqual([{ ...down, cause: 'ETIMEDOUT' }]);
  });

  it.each([
    ['hangs up', (socket: Socket) => void socket.destroy()],
    ['talks another language', (socket: Socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ])('that %s is given up in the end', async (_, onSocket) => {
    const port = await rawServer(onSocket);
    const from = sender(port);
    from.send(mail);
    await from.givenUp(1);
    expect(from.failures).toMatchObject([{ ...down }]);
  });
});
