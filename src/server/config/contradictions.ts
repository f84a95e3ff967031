import { isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { ChatError } from '../../core/errors.ts';
import { invalid, parseAddress } from '../check-setting.ts';
import type { SettingName } from '../settings.ts';
import type { Settled, SettledSetting } from './settle-setting.ts';

/** What speaks against settings that fit one by one. */
export interface Contradiction {
  /** `invalid`, naming both. */
  readonly problem: ChatError;
  /** The setting that cannot be used for it, where one cannot. */
  readonly unfit?: SettingName;
}

/** What the settings have against each other; a setting in `unfit` is not said to be missing. */
export function contradictions(settled: Settled, unfit: ReadonlySet<SettingName>): Contradiction[] {
  const is = (problem: ChatError): Contradiction => ({ problem });
  return [
    ...clearTextProblems(settled).map(is),
    ...addressProblems(settled),
    ...proxyProblems(settled, unfit).map(is),
    ...mailProblems(settled, unfit).map(is),
    ...certificateProblems(settled, unfit).map(is),
    ...clusterProblems(settled, unfit).map(is),
  ];
}

function clearTextProblems({ tlsOnly, insecureClearText }: Settled): ChatError[] {
  if (tlsOnly.value !== 'true' || insecureClearText.value !== 'true') return [];
  const message = `${tlsOnly.label} and ${insecureClearText.label} contradict each other: give one of them`;
  return [invalid(message, tlsOnly.label)];
}

function addressProblems({ listen, metricsListen }: Settled): Contradiction[] {
  if (!areSameAddress(listen, metricsListen)) return [];
  const message = `${metricsListen.label} names the address of ${listen.label}: give metrics a port of their own`;
  return [{ problem: invalid(message, metricsListen.label), unfit: 'metricsListen' }];
}

function proxyProblems(
  { proxyProtocol, trustedProxy }: Settled,
  unfit: ReadonlySet<SettingName>,
): ChatError[] {
  if (proxyProtocol.value !== 'true' || trustedProxy.value !== '' || unfit.has('trustedProxy')) return [];
  const message = `${proxyProtocol.label} needs to know whose header is believed: give --trusted-proxy with the balancer's address`;
  return [invalid(message, trustedProxy.label)];
}

function mailProblems({ smtpUrl, mailFrom }: Settled, unfit: ReadonlySet<SettingName>): ChatError[] {
  if (smtpUrl.value === '' || mailFrom.value !== '' || unfit.has('mailFrom')) return [];
  const message = `${smtpUrl.label} needs an address that mails come from: give --mail-from`;
  return [invalid(message, mailFrom.label)];
}

function certificateProblems({ tlsCert, tlsKey }: Settled, unfit: ReadonlySet<SettingName>): ChatError[] {
  const isHalf = (tlsCert.value === '') !== (tlsKey.value === '');
  if (!isHalf || unfit.has('tlsCert') || unfit.has('tlsKey')) return [];
  const [given, missing] = tlsCert.value === '' ? [tlsKey, tlsCert] : [tlsCert, tlsKey];
  return [invalid(`${given.label} needs its other half: give ${missing.label} too`, missing.label)];
}

/** What each of the three settings needs besides itself. */
function clusterProblems(
  { store, bus, clusterSecret }: Settled,
  unfit: ReadonlySet<SettingName>,
): ChatError[] {
  const lacks = ({ name, value }: SettledSetting): boolean => value === '' && !unfit.has(name);
  const needs = (one: SettledSetting, missing: SettledSetting, why: string): ChatError =>
    invalid(`${one.label} needs ${missing.label} too: ${why}`, missing.label);
  if (lacks(store)) {
    return [bus, clusterSecret]
      .filter(({ value }) => value !== '')
      .map((one) => needs(one, store, 'servers that belong together keep everything in one PostgreSQL'));
  }
  return store.value !== '' && lacks(clusterSecret)
    ? [needs(store, clusterSecret, "the file under whose contents the server's keys are sealed there")]
    : [];
}

/** True when one address would be listened on twice; what a name stands for is found out at the start. */
function areSameAddress(one: SettledSetting, other: SettledSetting): boolean {
  if (one.value === '' || other.value === '') return false;
  const a = parseAddress(one.label, one.value);
  const b = parseAddress(other.label, other.value);
  if (a.port !== b.port || a.port === 0) return false;
  return (
    canonicalHost(a.host) === canonicalHost(b.host) || includes(a.host, b.host) || includes(b.host, a.host)
  );
}

function canonicalHost(host: string): string {
  return ipaddr.isValid(host) ? ipaddr.process(host).toString() : host.toLowerCase();
}

/** True when listening on `host` takes `other` too: `0.0.0.0` is every IPv4 address of the machine, `::` every one. */
function includes(host: string, other: string): boolean {
  const canonical = canonicalHost(host);
  return canonical === '::' || (canonical === '0.0.0.0' && !isIPv6(canonicalHost(other)));
}
