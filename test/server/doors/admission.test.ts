import { describe, expect, it } from 'vitest';
import { createAdmission } from '../../../src/server/doors/admission.ts';

const proxies = { has: (address: string) => address === '198.51.100.1' };

describe('open connections', () => {
  it('are so many of one address, IPv6 by its /64, and a proxy’s are not', () => {
    const admission = createAdmission({ maxConnections: 0, maxConnectionsPerAddress: 2 }, proxies);
    const first = admission.enter('2001:db8::1');
    admission.enter('2001:db8::2');
    expect(admission.enter('2001:db8::3')).toBe('address');
    expect(admission.enter('2001:db8:0:1::1')).toBeTypeOf('object');
    for (let one = 0; one < 5; one++) expect(admission.enter('198.51.100.1')).toBeTypeOf('object');
    if (typeof first === 'object') first.leave();
    expect(admission.enter('2001:db8::3')).toBeTypeOf('object');
  });

  it('are so many in all, a proxy’s among them', () => {
    const admission = createAdmission({ maxConnections: 3, maxConnectionsPerAddress: 2 }, proxies);
    const first = admission.enter('192.0.2.1');
    admission.enter('192.0.2.2');
    admission.enter('198.51.100.1');
    for (const address of ['192.0.2.3', '198.51.100.1']) expect(admission.enter(address)).toBe('server');
    expect(admission.count).toBe(3);
    if (typeof first === 'object') first.leave();
    expect(admission.enter('192.0.2.3')).toBeTypeOf('object');
  });

  it('are as many as come with limits of 0', () => {
    const admission = createAdmission({ maxConnections: 0, maxConnectionsPerAddress: 0 }, proxies);
    for (let one = 0; one < 100; one++) expect(admission.enter('192.0.2.1')).toBeTypeOf('object');
  });
});
