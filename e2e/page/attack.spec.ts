// Pages of others try to read, post, listen and frame: from another port of
// 127.0.0.1, from localhost, and under a name that is made to mean this machine.
// The same attack runs against a server without any guard, where it must succeed:
// else it would prove nothing.

import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { chromium, type Browser, type Page, type Request } from '@playwright/test';
import { Daemon, expect, test } from './worlds';

const secret = 'what only its owner may know';

/** Answers anything to anybody, as a careless local service does. */
function careless(): Server {
  return createServer((request, response) => {
    const origin = request.headers.origin ?? '*';
    const headers = { 'Access-Control-Allow-Origin': origin, 'Access-Control-Allow-Headers': '*, authorization, content-type', 'Access-Control-Allow-Methods': '*', Connection: 'close' };
    if (request.url === '/v1/events') {
      response.writeHead(200, { ...headers, 'Content-Type': 'text/event-stream' });
      response.end(`data: ${secret}\n\n`);
      return;
    }
    // A browser hides from itself what is not of the sort that it asked for.
    const [kind, body] = {
      image: ['image/svg+xml', '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'],
      script: ['text/javascript', `/* ${secret} */`],
    }[String(request.headers['sec-fetch-dest'] ?? fallback(request.url!))] ?? ['text/html', `<p>${secret}</p>`];
    response.writeHead(200, { ...headers, 'Content-Type': kind });
    response.end(body);
  });
}

/** What is asked for where the browser does not say: under a name it trusts less. */
const fallback = (path: string) => (path.endsWith('.js') ? 'script' : 'document');

const attacker = () => createServer((request, response) => {
  response.writeHead(request.url === '/' ? 200 : 404, { 'Content-Type': 'text/html', Connection: 'close' });
  response.end('<!doctype html><title>attacker</title><link rel=icon href=data:,>');
});

async function listen(server: Server, port = 0): Promise<number> {
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return (server.address() as { port: number }).port;
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

/** All that a page can try, and what it learned, by attempt; runs in the page. */
async function tryAll(target: string): Promise<Record<string, string>> {
  const got: Record<string, string> = {};
  const note = async (name: string, attempt: () => Promise<string>) => {
    const late = new Promise<string>((resolve) => setTimeout(() => resolve('nothing: late'), 3000));
    got[name] = await Promise.race([attempt().catch((error) => `nothing: ${error.name}`), late]);
  };
  const read = async (path: string, init?: RequestInit) => {
    const response = await fetch(target + path, init);
    return response.ok ? `${response.status} ${await response.text()}` : `nothing: ${response.status}`;
  };
  await note('read', () => read('/v1/status'));
  await note('read by a token', () => read('/v1/status', { headers: { Authorization: 'Bearer guess' } }));
  await note('post JSON', () => read('/v1/pages', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' }));
  await note('post text', () => read('/v1/pages/session', { method: 'POST', headers: { 'Content-Type': 'text/plain' }, body: '{}' }));
  await note('stream', () => read('/v1/events', { headers: { Accept: 'text/event-stream' } }));
  await note('listen', () => new Promise((resolve) => {
    const events = new EventSource(target + '/v1/events');
    events.onmessage = (event) => { events.close(); resolve('200 ' + event.data); };
    events.onerror = () => { events.close(); resolve('nothing: refused'); };
  }));
  await note('read the page', () => read('/'));
  await note('read an asset', () => read('/assets/page.js'));
  return got;
}

/** What must be posted or shown without reading an answer: the server's word counts. */
async function blind(page: Page, target: string): Promise<Record<string, number | string>> {
  const statuses: Record<string, number | string> = {};
  const heard = (name: string, path: string, method: string) => {
    const meant = (request: Request) => request.url() === target + path && request.method() === method;
    return Promise.race([
      page.waitForResponse((r) => meant(r.request()), { timeout: 5000 }).then((r) => r.status()),
      page.waitForEvent('requestfailed', { predicate: meant, timeout: 5000 }).then(() => 'hidden'),
    ]).then((status) => { statuses[name] = status; }, () => { statuses[name] = 'not sent'; });
  };
  const attempts: [string, string, string, (to: string) => void][] = [
    ['post blindly', '/v1/pages', 'POST', (to) => { fetch(to, { method: 'POST', mode: 'no-cors', body: '{}' }).catch(() => {}); }],
    ['beacon', '/v1/pages/session', 'POST', (to) => { navigator.sendBeacon(to, '{}'); }],
    ['picture', '/v1/status', 'GET', (to) => { new Image().src = to; }],
    ['script', '/assets/page.js', 'GET', (to) => { document.head.append(Object.assign(document.createElement('script'), { src: to })); }],
    ['frame', '/', 'GET', (to) => { document.body.append(Object.assign(document.createElement('iframe'), { src: to })); }],
    ['form', '/v1/pages', 'POST', (to) => {
      const frame = Object.assign(document.createElement('iframe'), { name: 'sink' });
      const form = Object.assign(document.createElement('form'), { action: to, method: 'POST', target: 'sink', enctype: 'text/plain' });
      document.body.append(frame, form);
      form.submit();
    }],
  ];
  for (const [name, path, method, attempt] of attempts) {
    const answer = heard(name, path, method);
    await page.evaluate(attempt, target + path);
    await answer;
  }
  return statuses;
}

/** The attack from a page at that address; what it got of the target. */
async function attack(browser: Browser, from: string, target: string): Promise<{ got: Record<string, string>; statuses: Record<string, number | string>; frames: string[] }> {
  const page = await (await browser.newContext()).newPage();
  try {
    await page.goto(from);
    const got = await page.evaluate(tryAll, target);
    const statuses = await blind(page, target);
    const frames: string[] = [];
    for (const frame of page.frames().slice(1)) frames.push(await frame.evaluate(() => document.body?.innerText ?? '').catch(() => ''));
    return { got, statuses, frames };
  } finally {
    await page.context().close();
  }
}

const succeeded = (got: Record<string, string>) => Object.entries(got).filter(([, what]) => !what.startsWith('nothing')).map(([name]) => name);
const answered = (statuses: Record<string, number | string>) => Object.entries(statuses).filter(([, status]) => typeof status === 'number' && status < 400).map(([name]) => name);
const everything = ['read', 'read by a token', 'post JSON', 'post text', 'stream', 'listen', 'read the page', 'read an asset'];
const blindly = ['post blindly', 'beacon', 'picture', 'script', 'frame', 'form'];

/** The daemon's own word: it refused, and answered none of them. */
async function wantNothingGiven(daemon: Daemon): Promise<void> {
  const token = readFileSync(join(daemon.state, 'token'), 'utf8').trim();
  const metrics = await (await fetch(`${daemon.url}/metrics`, { headers: { Authorization: `Bearer ${token}` } })).text();
  const count = (pattern: RegExp) => [...metrics.matchAll(pattern)].reduce((sum, match) => sum + Number(match[1]), 0);
  expect(count(/^authbridge_http_requests_total\{.*\} (\d+)$/gm)).toBe(0);
  expect(count(/^authbridge_http_refused_total\{.*\} (\d+)$/gm)).toBeGreaterThan(10);
}

for (const from of ['127.0.0.1', 'localhost']) {
  for (const to of ['127.0.0.1', 'localhost']) {
    test(`a page on another port of ${from} gets nothing of ${to}`, async ({ browser, daemon }) => {
      const page = attacker();
      const control = careless();
      const [own, open] = [await listen(page), await listen(control)];
      try {
        const against = await attack(browser, `http://${from}:${own}/`, `http://${to}:${open}`);
        expect(succeeded(against.got)).toEqual(everything);
        expect(answered(against.statuses)).toEqual(blindly);
        expect(against.frames.join()).toContain(secret);

        const { got, statuses, frames } = await attack(browser, `http://${from}:${own}/`, `http://${to}:${daemon.port}`);
        expect(succeeded(got)).toEqual([]);
        expect(answered(statuses)).toEqual([]);
        expect(frames.join()).not.toMatch(/Target|AAL3/);
        await wantNothingGiven(daemon);
      } finally {
        await Promise.all([close(page), close(control)]);
      }
    });
  }
}

test('a name that is made to mean this machine gets nothing', async () => {
  // The page comes from its name first; then the name's port is the daemon's.
  const rebound = await chromium.launch({
    executablePath: process.env.AUTHBRIDGE_CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--host-resolver-rules=MAP evil.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1'],
  });
  const daemon = new Daemon();
  try {
    for (const guarded of [false, true]) {
      const first = attacker();
      const port = await listen(first);
      const address = `http://evil.example:${port}`;
      const page = await (await rebound.newContext()).newPage();
      await page.goto(address + '/');
      await close(first);
      const control = careless();
      if (guarded) await daemon.start(`127.0.0.1:${port}`);
      else await listen(control, port);
      const got = await page.evaluate(tryAll, address);
      const statuses = await blind(page, address);
      await page.context().close();
      if (!guarded) {
        await close(control);
        expect(succeeded(got)).toEqual(everything);
        expect(answered(statuses)).toEqual(blindly);
        continue;
      }
      expect(succeeded(got)).toEqual([]);
      expect(answered(statuses)).toEqual([]);
      await wantNothingGiven(daemon);
    }
  } finally {
    await daemon.end();
    await rebound.close();
  }
});

test('who opens the page from elsewhere has no hold on it', async ({ browser, daemon }) => {
  const server = attacker();
  const own = await listen(server);
  try {
    const context = await browser.newContext();
    const inside = await context.newPage();
    await inside.goto(daemon.entrance());
    await expect(inside.locator('#connection')).toHaveText('live');
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${own}/`);
    const opened = context.waitForEvent('page');
    await page.evaluate((to) => { (window as any).hold = open(to); }, daemon.url + '/');
    const popup = await opened;
    await expect(popup.getByRole('heading', { name: 'This page is not open yet' })).toBeVisible();
    await expect.poll(() => page.evaluate(() => (window as any).hold.closed)).toBe(true); // cut off, by Cross-Origin-Opener-Policy
    expect(popup.isClosed()).toBe(false);
    await context.close();
  } finally {
    await close(server);
  }
});
