import { describe, expect, it } from 'vitest';
import { findProxy } from './proxy.ts';

const env = {
  HTTPS_PROXY: 'http://proxy:3128',
  http_proxy: 'plain:8080',
  NO_PROXY: 'internal.example, .sub.example,*.star.example,10.0.0.0/8,192.0.2.7,fd00::/8,other.example:8443',
};

describe('findProxy', () => {
  it.each([
    ['https://api.example', 'http://proxy:3128'],
    ['http://api.example', 'http://plain:8080'],
    ['https://internal.example', undefined],
    ['https://api.internal.example', undefined],
    ['https://notinternal.example', 'http://proxy:3128'],
    ['https://a.sub.example', undefined],
    ['https://sub.example', 'http://proxy:3128'],
    ['https://a.star.example', undefined],
    ['https://10.96.0.1:443', undefined],
    ['https://11.96.0.1', 'http://proxy:3128'],
    ['https://192.0.2.7:6443', undefined],
    ['https://[fd00::1]:6443', undefined],
    ['https://[2001:db8::1]:6443', 'http://proxy:3128'],
    ['https://other.example:8443', undefined],
    ['https://other.example:6443', 'http://proxy:3128'],
    ['https://127.0.0.1:6443', undefined],
    ['https://localhost:6443', undefined],
    ['not a url', undefined],
  ])('leads %s through %s', (address, proxy) => {
    expect(findProxy(address, env)).toBe(proxy);
  });

  it('is off without variables, and for everything with a star', () => {
    expect(findProxy('https://api.example', {})).toBeUndefined();
    expect(findProxy('https://api.example', { HTTPS_PROXY: 'http://p', NO_PROXY: '*' })).toBeUndefined();
  });
});
