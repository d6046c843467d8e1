import assert from 'node:assert/strict';
import { test } from 'node:test';
import { effectiveProxies, proxiesOfEnvironment, proxyFor } from '../../../src/registry/proxies.ts';

const PROXY = 'http://proxy.test:3128';
const NONE = { http: '', https: '', noProxy: '' };

/** NO_PROXY, what is asked, whether it goes by the proxy. The rules are those of Go's httpproxy. */
const CASES: readonly (readonly [string, string, boolean])[] = [
  ['', 'https://registry.test', true],
  ['', 'http://registry.test:5000', true],
  ['', 'https://localhost', false],
  ['', 'https://localhost.:5000', false],
  ['', 'http://127.0.0.1:5000', false],
  ['', 'http://127.9.9.9', false],
  ['', 'http://[::1]:5000', false],
  ['', 'http://10.0.0.1', true],
  ['*', 'https://registry.test', false],
  ['registry.test', 'https://registry.test', false],
  ['REGISTRY.test', 'https://registry.TEST', false],
  ['registry.test', 'https://a.registry.test', false],
  ['registry.test', 'https://myregistry.test', true],
  ['.registry.test', 'https://registry.test', true],
  ['.registry.test', 'https://a.registry.test', false],
  ['*.registry.test', 'https://a.b.registry.test', false],
  ['*.registry.test', 'https://registry.test', true],
  ['registry.test:5000', 'https://registry.test', true],
  ['registry.test:5000', 'https://registry.test:5000', false],
  ['registry.test:443', 'https://registry.test', false],
  ['registry.test:80', 'http://registry.test', false],
  ['10.0.0.0/8', 'http://10.1.2.3:5000', false],
  ['10.0.0.0/8', 'http://11.1.2.3:5000', true],
  ['10.0.0.0/99', 'http://10.1.2.3:5000', true],
  ['10.1.2.3', 'http://10.1.2.3:5000', false],
  ['10.1.2.3:5000', 'http://10.1.2.3:5000', false],
  ['10.1.2.3:5001', 'http://10.1.2.3:5000', true],
  ['fd00::/8', 'http://[fd00::1]:5000', false],
  ['fd00:0::1', 'http://[fd00::1]:5000', false],
  ['[fd00::1]:5000', 'http://[fd00::1]:5000', false],
  ['[fd00::1]:5001', 'http://[fd00::1]:5000', true],
  ['other.test, ,registry.test', 'https://registry.test', false],
  [',:5000,/8,[', 'https://registry.test:5000', true],
];

for (const [noProxy, origin, goesByProxy] of CASES) {
  test(`NO_PROXY "${noProxy}": ${origin} is asked ${goesByProxy ? 'by the proxy' : 'directly'}`, () => {
    const found = proxyFor(new URL(origin), { http: PROXY, https: PROXY, noProxy });
    assert.equal(found?.host, goesByProxy ? 'proxy.test:3128' : undefined);
  });
}

test('http and https have a proxy each, and an address without a scheme is of http', () => {
  const settings = { ...NONE, http: 'one.test:1', https: 'https://two.test' };

  assert.equal(proxyFor(new URL('http://r.test'), settings)?.href, 'http://one.test:1/');
  assert.equal(proxyFor(new URL('https://r.test'), settings)?.href, 'https://two.test/');
  assert.equal(proxyFor(new URL('https://r.test'), { ...settings, https: '' }), undefined);
});

for (const value of ['ftp://user:secret@proxy.test', 'http://user:secret@', 'http://user:secret@a b', 'socks4://user:secret@p.test']) {
  test(`the proxy ${value} is refused without its password`, () => {
    assert.throws(
      () => proxyFor(new URL('https://r.test'), { ...NONE, https: value }),
      (error: Error) => error.message.includes('HTTPS_PROXY') && !error.message.includes('secret'),
    );
  });
}

test('of the environment upper case wins, and the configuration stands for all of it', () => {
  const env = { HTTPS_PROXY: 'up', https_proxy: 'low', http_proxy: 'low', no_proxy: 'n' };

  assert.deepEqual(proxiesOfEnvironment(env), { http: 'low', https: 'up', noProxy: 'n' });
  assert.deepEqual(effectiveProxies(NONE, env), proxiesOfEnvironment(env));
  assert.deepEqual(effectiveProxies({ ...NONE, noProxy: 'x' }, env), { ...NONE, noProxy: 'x' });
});
