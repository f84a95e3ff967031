import { describe, expect, it } from 'vitest';
import { createAdmission } from '../../../src/server/doors/admission.ts';
import { trustedProxies } from '../../../src/server/doors/trusted-proxies.ts';

const nobody = trustedProxies([]);

describe('admission', () => {
  it('lets in exactly the limit of one address, and one more when one has left', () => {
    const admission = createAdmission({ maxConnections: 0, maxConnectionsPerAddress: 2 }, nobody);
    const first = admission.enter('192.0.2.1');
    expect(typeof admission.enter('192.0.2.1')).toBe('object');
    expect(admission.enter('192.0.2.1')).toBe('address');
    expect(typeof admission.enter('192.0.2.2')).toBe('object');
    if (typeof first === 'object') first.leave();
    expect([typeof admission.enter('192.0.2.1'), admission.enter('192.0.2.1')]).toEqual([
      'object',
      'address',
    ]);
  });

  it('counts IPv6 by /64, and IPv4 alike in both spellings', () => {
    const admission = createAdmission({ maxConnections: 0, maxConnectionsPerAddress: 1 }, nobody);
    expect(typeof admission.enter('2001:db8:0:1::1')).toBe('object');
    expect(admission.enter('2001:db8:0:1:ffff::2')).toBe('address');
    expect(typeof admission.enter('2001:db8:0:2::1')).toBe('object');
    expect(typeof admission.enter('::ffff:192.0.2.1')).toBe('object');
    expect(admission.enter('192.0.2.1')).toBe('address');
  });

  it('lets in exactly the limit in all', () => {
    const admission = createAdmission({ maxConnections: 2, maxConnectionsPerAddress: 0 }, nobody);
    admission.enter('192.0.2.1');
    const second = admission.enter('192.0.2.1');
    expect([admission.enter('192.0.2.3'), admission.count]).toEqual(['server', 2]);
    if (typeof second === 'object') second.leave();
    expect([typeof admission.enter('192.0.2.3'), admission.count]).toEqual(['object', 2]);
  });

  it('lets as many in from a trusted proxy as the server takes: behind it is everybody', () => {
    const limits = { maxConnections: 3, maxConnectionsPerAddress: 1 };
    const admission = createAdmission(limits, trustedProxies(['10.0.0.0/8']));
    expect([typeof admission.enter('10.1.2.3'), typeof admission.enter('10.1.2.3')]).toEqual([
      'object',
      'object',
    ]);
    expect(typeof admission.enter('192.0.2.1')).toBe('object');
    expect(admission.enter('10.1.2.3')).toBe('server');
  });
});
