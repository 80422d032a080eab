import { expect, test } from '@playwright/test';
import { exceptionFor } from '../src/dom.js';
import { isUnavailable, NotReachableError, ProblemError, reasons, sentence } from '../src/failures.js';
import { locate, socketIn, type Surroundings } from '../src/locate.js';
import { complete, pinSource } from '../src/options.js';
import { callerIn, type FrameLike, type PageLike } from '../src/origin.js';
import { messages } from '../src/sse.js';
import { problem, ready } from './fake.js';

const linux: Surroundings = { env: {}, platform: 'linux', home: '/home/ann' };

test('the daemon is found as the command line finds it', () => {
  const at = (env: Record<string, string>, more: Partial<Surroundings> = {}) => locate({ ...linux, ...more, env });
  const system = '/run/authbridge/authbridge.sock';
  expect(at({}).sockets).toEqual(['/home/ann/.local/state/authbridge/authbridge.sock', system]);
  expect(at({ XDG_RUNTIME_DIR: '/run/user/1000' }).sockets).toEqual([
    '/run/user/1000/authbridge/authbridge.sock', '/home/ann/.local/state/authbridge/authbridge.sock', system]);
  expect(at({ XDG_STATE_HOME: 'relative' }).sockets).toEqual(['/home/ann/.local/state/authbridge/authbridge.sock', system]);
  expect(at({}, { platform: 'darwin' }).sockets).toEqual([
    '/home/ann/Library/Application Support/authbridge/authbridge.sock', '/var/run/authbridge/authbridge.sock']);
  expect(at({}, { platform: 'win32', home: 'C:\\Users\\ann' }).sockets?.[0]).toMatch(/^\\\\\.\\pipe\\authbridge-[0-9a-f]{16}$/);
  expect(at({ AUTHBRIDGE_URL: 'unix:///tmp/s', AUTHBRIDGE_TOKEN: 't' })).toEqual({ address: 'unix:///tmp/s', host: 'localhost', sockets: ['/tmp/s'], token: 't' });
  expect(at({ AUTHBRIDGE_URL: 'http://[::1]:5', AUTHBRIDGE_TOKEN: 't' })).toEqual({ address: 'http://[::1]:5', host: '::1', port: 5, token: 't' });
  expect(socketIn('linux', '/' + 'deep/'.repeat(30))).toMatch(/^\/tmp\/authbridge-[0-9a-f]{16}\/authbridge\.sock$/);
});

test('a token goes to this machine or nowhere', () => {
  for (const url of ['http://192.0.2.1:5', 'http://127.0.0.1.example:5', 'https://127.0.0.1:5', 'http://a@127.0.0.1:5', 'http://127.0.0.1:5/x', 'unix:', 'rubbish']) {
    expect(() => locate({ ...linux, env: { AUTHBRIDGE_URL: url } }), url).toThrow(/AUTHBRIDGE_URL/);
  }
});

const page = (frames: () => FrameLike[] = () => [], opener: PageLike | null = null): PageLike => ({ frames, opener: async () => opener });
const frame = (url: string, parent: FrameLike | null = null, of = page()): FrameLike => ({ url: () => url, parentFrame: () => parent, page: () => of });

test('who asks is read from the frames', async () => {
  const top = frame('http://localhost:1/a?b');
  const foreign = frame('http://b.localhost:1/', top);
  expect(await callerIn(top)).toEqual({ origin: 'http://localhost:1' });
  expect(await callerIn(frame('about:srcdoc', top))).toEqual({ origin: 'http://localhost:1' });
  expect(await callerIn(frame('about:blank#x', top))).toEqual({ origin: 'http://localhost:1' });
  expect(await callerIn(frame('blob:http://localhost:1/0-0', top))).toEqual({ origin: 'http://localhost:1' });
  expect(await callerIn(foreign)).toEqual({ origin: 'http://b.localhost:1', topOrigin: 'http://localhost:1' });
  expect(await callerIn(frame('http://localhost:1/', foreign)), 'a foreign one in between').toEqual({ origin: 'http://localhost:1', topOrigin: 'http://localhost:1' });
  expect(await callerIn(frame('about:srcdoc', foreign))).toEqual({ origin: 'http://b.localhost:1', topOrigin: 'http://localhost:1' });
  for (const opaque of ['data:text/html,x', 'file:///etc/passwd', 'chrome-error://chromewebdata/', 'about:blank', 'about:blankish']) {
    expect(await callerIn(frame(opaque)), opaque).toBeUndefined();
    expect(await callerIn(frame('http://localhost:1/', frame(opaque))), `in ${opaque}`).toBeUndefined();
  }
});

test('an empty window has the origin of who opened it, where that is certain', async () => {
  const site = frame('http://localhost:1/');
  const foreign = frame('http://b.localhost:1/', site);
  const openedBy = (...frames: FrameLike[]) => frame('about:blank', null, page(undefined, page(() => frames)));
  expect(await callerIn(openedBy(site, frame('about:srcdoc', site)))).toEqual({ origin: 'http://localhost:1' });
  expect(await callerIn(openedBy(site, foreign))).toBeUndefined();
});

test('events are read however they are cut', async () => {
  const text = ': beat\n\nevent: a\ndata: 1\ndata: 2\r\n\r\nid: 7\nevent: b\ndata:x\n\nevent: c\ndata: lost\n';
  for (const size of [1, 2, 7, text.length]) {
    async function* cut() {
      for (let i = 0; i < text.length; i += size) yield text.slice(i, i + size);
    }
    const got = [];
    for await (const m of messages(cut())) got.push(m);
    expect(got).toEqual([{ event: 'a', data: '1\n2' }, { event: 'b', data: 'x' }]);
  }
});

test('failures are told apart and told', () => {
  const p = problem('LEASE_TAKEN', { title: 'Another lease has it', detail: 'token ci', remedy: 'Wait.' });
  expect(sentence(p)).toBe('Another lease has it: token ci (LEASE_TAKEN) → Wait.');
  expect(isUnavailable(new ProblemError(p))).toBe(true);
  expect(isUnavailable(new NotReachableError('here', 'ENOENT'))).toBe(true);
  expect(isUnavailable(new ProblemError(problem('FORBIDDEN')))).toBe(false);
  const check = { code: 'KEY_MUTE', state: 'fail' as const, title: 'It answers', evidence: 'it does not', remedy: 'Plug it in again.' };
  const v = { ...ready, outcome: 'not_ready' as const, summary: 'No.', authenticator: 'k', candidates: [{ authenticator: 'k', name: 'k', outcome: 'not_ready', checks: [check, { ...check, state: 'pass' as const, code: 'OTHER' }] }] };
  expect(reasons(v)).toBe('No.\n  It answers (KEY_MUTE): it does not → Plug it in again.');
});

test('a page is told what a browser would tell it', () => {
  const of = (code: string, dom_exception?: string) => exceptionFor(new ProblemError(problem(code, dom_exception ? { dom_exception } : {}))).name;
  expect(of('WEBAUTHN_RP_ID', 'SecurityError')).toBe('SecurityError');
  expect(of('WEBAUTHN_EXCLUDED', 'InvalidStateError')).toBe('InvalidStateError');
  expect(of('LEASE_OVER')).toBe('NotAllowedError');
  expect(exceptionFor(new NotReachableError('here', 'ENOENT')).name).toBe('NotAllowedError');
  expect(JSON.stringify(exceptionFor(new ProblemError(problem('PIN_REFUSED', { detail: 'for people' }))))).not.toContain('people');
});

test('options say what is meant where they are silent', () => {
  expect(complete({}, 'signs in › ünder "Chromium"')).toMatchObject({ aal: 3, target: 'mock', kind: 'security-key', wait: 30_000, onUnavailable: 'skip', purpose: 'signs in nder Chromium' });
  expect(pinSource({ ask: true }, {})).toEqual({ ask: true });
  expect(() => pinSource({ env: 'KEY_PIN' }, {})).toThrow('KEY_PIN is not set');
  expect(complete({ purpose: 'x'.repeat(100), wait: 1e9 }, '')).toMatchObject({ purpose: 'x'.repeat(64), wait: 300_000 });
});
