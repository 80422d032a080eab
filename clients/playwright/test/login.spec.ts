// The parts of a sign-in and of its judgement that need no browser.

import { createServer, type AddressInfo } from 'node:net';
import { expect, test } from '@playwright/test';
import { Course, cut, place, type Means } from '../src/course.js';
import { LoginError } from '../src/failures.js';
import { authorization, returned } from '../src/journey.js';
import { binds, bring, challenge, NoAnswer } from '../src/proof.js';
import { Report } from '../src/report.js';
import { request, type Seen } from '../src/verify.js';
import type { Login } from '../src/wire.js';
import { problem } from './fake.js';

const realm = '/openam/oauth2/realms/root/realms/NHSIdentity/realms/Healthcare';
const asked = { clientId: 'c', redirect: 'https://app.test/back?tenant=1', acr: 'AAL3_ANY', nonce: 'n' };

test('an authorization request is told by the issuer\'s endpoint, however its port is written', () => {
  const query = new URLSearchParams({ client_id: 'c', redirect_uri: asked.redirect, acr_values: 'AAL3_ANY', nonce: 'n', state: 's' });
  for (const [issuer, at] of [['https://am.test:443', 'https://am.test'], ['http://localhost:9', 'http://localhost:9']]) {
    expect(authorization(issuer + realm, `${at}${realm}/authorize?${query}`, null), at).toEqual(asked);
    expect(authorization(issuer + realm, `${at}${realm}/authorize`, query.toString()), 'by POST').toEqual(asked);
    for (const other of [`${at}/authorize?${query}`, `${at}${realm}/authorize/more?${query}`, `https://evil.test${realm}/authorize?${query}`, `${at}:8${realm}/authorize?${query}`]) {
      if (URL.canParse(other)) expect(authorization(issuer + realm, other, null), other).toBeUndefined();
    }
  }
  expect(authorization(`http://a.test${realm}`, `http://a.test${realm}/authorize`, null)).toEqual({ clientId: '', redirect: '' });
});

test('a way back is told by the redirect address, and keeps no code', () => {
  expect(returned(asked.redirect, 'https://app.test/back?tenant=1&code=canary&state=s')).toEqual({});
  expect(returned(asked.redirect, 'https://app.test/back?error=access_denied&error_description=no&state=s')).toEqual({ error: 'access_denied', description: 'no' });
  expect(returned(asked.redirect, 'https://app.test/elsewhere?code=canary')).toBeUndefined();
  expect(returned(asked.redirect, 'http://app.test/back?code=canary')).toBeUndefined();
  expect(returned('', 'https://app.test/back')).toBeUndefined();
});

test('a card signs for this sign-in alone', () => {
  const parts = ['authbridge proof v1', 'http://localhost:9', 'c', 'n', 'ABCD2345', '2026-01-31T08:30:00Z'];
  const data = (changed: Record<number, string> = {}, more = '') =>
    Buffer.from(parts.map((part, i) => changed[i] ?? part).join('\0') + more).toString('base64');
  const good = (text: string, it = asked) => binds(text, 'http://localhost:9', it, 'ABCD2345');
  expect(good(data())).toBe(true);
  for (const i of parts.keys()) expect(good(data({ [i]: 'other' })), parts[i]).toBe(false);
  expect(good(data({}, '\0more'))).toBe(false);
  expect(good(Buffer.from('a contract').toString('base64'))).toBe(false);
  const { nonce: _, ...without } = asked;
  expect(binds(data({ 3: '' }), 'http://localhost:9', without, 'ABCD2345')).toBe(true);
});

test('a mock that is gone is told of by the system\'s own word', async () => {
  await expect(challenge('http://localhost:1' + realm, 'ABCD2345')).rejects.toThrow(NoAnswer);
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const { port } = server.address() as AddressInfo;
  await expect(bring(`http://localhost:${port}${realm}`, 'ABCD2345', {})).rejects.toThrow(/^(ECONNRESET|UND_ERR_SOCKET)$/);
  server.close();
});

test('what a sign-in has shown need not be said again', () => {
  const seen: Seen[] = [
    { target: 'int', asked: { ...asked, clientId: 'at int' }, done: { sso: false, registered: false, user: '555000000001', ceremony: 'ceremony-int' } },
    { target: 'mock', asked, done: { sso: false, registered: true, user: '656005750106', ceremony: 'ceremony-1' } },
    { target: 'mock', asked: { ...asked, nonce: 'of the session' }, done: { sso: true, registered: false } },
  ];
  expect(request('mock', 'p', seen, 'canary', { userinfo: { sub: 's' } })).toEqual({
    target: 'mock', mode: 'tokens', wait: true, purpose: 'p', acr: 'AAL3_ANY', user: '656005750106',
    tokens: { id_token: 'canary', userinfo: { sub: 's' }, client_id: 'c', nonce: 'of the session', ceremony: 'ceremony-1' },
  });
  expect(request('mock', 'p', seen, 'canary', { target: 'int', clientId: 'x', nonce: 'y', acr: 'AAL2_ANY', user: '1', maxAge: 60, accessToken: 'a' })).toEqual({
    target: 'int', mode: 'tokens', wait: true, purpose: 'p', acr: 'AAL2_ANY', user: '1',
    tokens: { id_token: 'canary', access_token: 'a', client_id: 'x', nonce: 'y', max_age: '60s', ceremony: 'ceremony-int' },
  });
  expect(request('mock', 'p', [], 'canary', {})).toEqual({ target: 'mock', mode: 'tokens', wait: true, purpose: 'p', tokens: { id_token: 'canary' } });
});

test('a login that did not pass says what failed, and where the report is', () => {
  const run: Login = {
    id: 'login-1', state: 'failed', target: 'mock', acr: 'AAL3_ANY', aal: 3, driven_by: 'application', summary: 'It is not as it must be.',
    steps: [
      { name: 'issuer', state: 'pass', expected: 'a', got: 'a' },
      { name: 'signature', state: 'fail', expected: 'by a key', got: 'none', code: 'TOK_SIG', remedy: 'Fetch the keys.' },
      { name: 'nonce', state: 'skipped', got: 'not told' },
    ],
  };
  expect(new LoginError(run, '/tmp/login-1.html').message)
    .toBe('verifyLogin: It is not as it must be.\n  signature (TOK_SIG): expected by a key, got none → Fetch the keys.\n  report: /tmp/login-1.html');
  const aborted = new LoginError({ ...run, state: 'aborted', steps: [], problem: problem('LOGIN_TIMEOUT') }, undefined).message;
  expect(aborted).toContain('title of LOGIN_TIMEOUT (LOGIN_TIMEOUT) → Remedy of LOGIN_TIMEOUT.');
});

test('a sign-in whose time is up says where it stood and stops', async () => {
  const report = new Report({ attach: async () => undefined }, () => undefined);
  report.began({ type: 'get', origin: 'http://localhost:9' }).prompts.push('Touch key blue.');
  const course = new Course({ report, kind: 'security-key' } as Means, 20);
  course.step = 'ceremony';
  await expect(course.within(() => new Promise(() => {}))).rejects
    .toThrow('cis2Login: timed out after 0.02 s at the step ceremony: the security-key did not sign in [it had asked: Touch key blue.] → ');
  expect(() => course.left()).toThrow();
});

test('addresses and words of others are told in short', () => {
  expect(['https://app.test/back?code=canary#x', 'about:blank', 'data:text/html,canary', 'nothing'].map(place))
    .toEqual(['https://app.test', 'about:blank', 'data:', 'no address']);
  expect(cut('a\n b  ')).toBe('a b');
  expect(cut('x'.repeat(400))).toHaveLength(301);
});
