import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { formatServerAddress, isLoopback } from '../../client/address.ts';
import type { Connection, ServerIdentity } from '../../client/connection.ts';
import { ChatError } from '../../core/errors.ts';
import { protocolVersion } from '../../core/pong.ts';
import type { CommandContext } from '../command.ts';
import type { Finding } from '../findings.ts';
import { changedKey, judgeKey, type KeyJudgement, unexpectedKey, unknownKey } from '../trust.ts';
import { doubtful, failed, fine } from './step.ts';

/** How long a connection and its handshake may take, and each ping. */
const networkMs = 5_000;
/** The fastest of so many pings is the way there and back: the others waited somewhere. */
const pings = 3;
/** Clocks that differ by more lead to refused one-time codes (30 s each) before long. */
const maxSkewMs = 5_000;

/** What is known of a server once it was reached. */
export interface Reached {
  readonly connection: Connection;
  /** True when a login may be shown to it. */
  readonly isTrusted: boolean;
}

/** Looks up the name of the server. */
export async function checkName({ settings }: CommandContext): Promise<Finding[]> {
  const check = 'name';
  const { host } = settings.server;
  if (isIP(host) !== 0) return [];
  try {
    const addresses = await lookup(host, { all: true });
    return [fine(check, `${host} is ${addresses.map(({ address }) => address).join(', ')}`)];
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const message = `${host} cannot be looked up (${code}); check the name, and whether the network is there`;
    return [failed(check, { code: 'unavailable', message })];
  }
}

/** Connects and judges the server's key, without asking, remembering or logging in. Answers undefined when it ends there. */
export async function reach(
  context: CommandContext,
): Promise<{ readonly findings: readonly Finding[]; readonly reached: Reached | undefined }> {
  const { host, settings } = context;
  const address = formatServerAddress(settings.server);
  const startedAt = performance.now();
  let key: Finding | undefined;
  let isTrusted = settings.server.scheme === 'plain';
  try {
    const connection = await host.client.connect({
      server: settings.server,
      timeoutMs: networkMs,
      async checkIdentity(identity) {
        const judgement = await judgeKey(context, identity);
        isTrusted = ['expected', 'trusted-by-system', 'remembered'].includes(judgement.kind);
        key = keyFinding(context, identity, judgement);
        // Somebody may be in between: nothing that they say is worth asking for.
        if (key.status === 'fail') throw new ChatError(key.code ?? 'untrusted', key.message);
      },
      signal: context.signal,
    });
    const ms = Math.round(performance.now() - startedAt);
    const isTls13 = connection.channelBinding !== undefined;
    const how = settings.server.scheme === 'plain' ? 'in clear text' : isTls13 ? 'over TLS 1.3' : 'over TLS';
    const connected = fine('server', `${address} is reached ${how} in ${ms} ms`);
    return { findings: [connected, ...(key === undefined ? [] : [key])], reached: { connection, isTrusted } };
  } catch (error) {
    if (!(error instanceof ChatError)) throw error;
    if (key?.status === 'fail')
      return { findings: [fine('server', `${address} is reached`), key], reached: undefined };
    const advice = isLoopback(settings.server.host)
      ? '; start it with: chat serve'
      : '; is it running, and is the port right?';
    const message = `${error.message}${error.code === 'unavailable' ? advice : ''}`;
    return { findings: [failed('server', { code: error.code, message })], reached: undefined };
  }
}

function keyFinding(
  { host, settings }: CommandContext,
  identity: ServerIdentity,
  judgement: KeyJudgement,
): Finding {
  const check = 'key';
  const { server, trust } = settings;
  const shown = identity.fingerprint;
  switch (judgement.kind) {
    case 'trusted-by-system':
      return fine(check, `${shown}, in a certificate that this system trusts`);
    case 'remembered':
      return fine(check, `${shown}, as it was remembered`);
    case 'expected':
      return fine(check, `${shown}, as --fingerprint says`);
    case 'unexpected':
      return failed(check, unexpectedKey(server, shown, judgement.expected));
    case 'changed': {
      const error = changedKey(host, server, shown, judgement.pinned);
      return trust === 'always'
        ? doubtful(check, `${error.message} (--trust always takes it)`)
        : failed(check, error);
    }
    case 'unknown':
      if (trust === 'never') return failed(check, unknownKey(server, shown));
      if (trust !== undefined || isLoopback(server.host))
        return fine(check, `${shown}, not known yet; the next command remembers it`);
      return doubtful(check, unknownKey(server, shown).message);
  }
}

/** Pings: how long the way is, whether the clocks agree, and which protocol the server speaks. */
export async function checkPings({ host }: CommandContext, connection: Connection): Promise<Finding[]> {
  let best: { roundMs: number; skewMs: number; protocol: unknown } | undefined;
  for (let n = 0; n < pings; n++) {
    const startedAt = performance.now();
    const { time, protocol } = await connection.call('ping', {}, { timeoutMs: networkMs });
    const roundMs = performance.now() - startedAt;
    // Half the way back ago; a server of an older version says nothing.
    const skewMs = host.now() - roundMs / 2 - Date.parse(time ?? '');
    if (best === undefined || roundMs < best.roundMs) best = { roundMs, skewMs, protocol };
  }
  if (best === undefined) return [];
  return [
    fine('round trip', `${best.roundMs.toFixed(1)} ms`),
    clockFinding(best.skewMs, best.roundMs),
    protocolFinding(best.protocol),
  ];
}

function clockFinding(skewMs: number, roundMs: number): Finding {
  const check = 'clock';
  if (Number.isNaN(skewMs))
    return doubtful(check, 'the server does not tell its time; it is of an older version');
  const seconds = (Math.abs(skewMs) / 1_000).toFixed(1);
  // What the way there and back took is not known any better.
  if (Math.abs(skewMs) <= maxSkewMs + roundMs / 2) return fine(check, `${seconds} s from the server's`);
  return doubtful(
    check,
    `the clock here is ${seconds} s ${skewMs < 0 ? 'behind' : 'ahead of'} the server's; set whichever is wrong: one-time codes and certificates go by it`,
  );
}

function protocolFinding(protocol: unknown): Finding {
  const check = 'protocol';
  if (protocol === protocolVersion) return fine(check, `${protocolVersion}, here and there`);
  const theirs = typeof protocol === 'number' ? `version ${protocol}` : 'a version that it does not tell';
  return doubtful(
    check,
    `the server speaks ${theirs}, this program ${protocolVersion}; update the older one`,
  );
}
