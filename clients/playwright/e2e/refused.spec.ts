// What Chromium refuses, beside Chromium itself.

import type { Browser, Page } from '@playwright/test';
import { expect, test } from '@authbridge/playwright';

const challenge = 'challenge: new Uint8Array(32)';
const make = (rp: string) => `{ publicKey: { ${challenge}, rp: ${rp}, user: { id: new Uint8Array(8), name: 'a', displayName: 'a' }, pubKeyCredParams: [{ type: 'public-key', alg: -7 }] } }`;

const said = (page: Page, call: string) =>
  page.evaluate(`navigator.credentials.${call}.then(() => 'a credential', (e) => [e instanceof DOMException, e.name, e.message, e.code].join(' | '))`) as Promise<string>;

/** What Chromium says by itself, in a context that has no fixture. */
async function byItself(browser: Browser, url: string, call: string): Promise<string> {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    await page.goto(url);
    return await said(page, call);
  } finally {
    await context.close();
  }
}

test('a page on an IP address', async ({ page, browser, baseURL, authenticator }) => {
  const url = baseURL!.replace('localhost', '127.0.0.1');
  await page.goto(url);
  for (const call of [`get({ publicKey: { ${challenge} } })`, `get({ publicKey: { ${challenge}, rpId: 'localhost' } })`, `create(${make("{ name: 'x' }")})`]) {
    const ours = await said(page, call);
    expect(ours).toBe('true | SecurityError | This is an invalid domain. | 18');
    expect(ours).toBe(await byItself(browser, url, call));
  }
  expect(authenticator.ceremonies.map((c) => c.problem?.code)).toEqual(Array(3).fill('WEBAUTHN_ORIGIN'));
});

test('an RP ID of somebody else', async ({ page, browser, baseURL, authenticator }) => {
  await page.goto('/');
  const call = `create(${make("{ name: 'x', id: 'example.com' }")})`;
  const ours = (await said(page, call)).split(' | ');
  const native = (await byItself(browser, baseURL!, call)).split(' | ');
  expect(ours.slice(0, 2)).toEqual(['true', 'SecurityError']);
  expect([ours[0], ours[1], ours[3]]).toEqual([native[0], native[1], native[3]]);
  // Chromium adds that it looked for related origins, which is not done here.
  expect(native[2]!.startsWith(ours[2]!), `${native[2]} begins with ${ours[2]}`).toBe(true);
  expect(authenticator.ceremonies[0]?.problem?.code).toBe('WEBAUTHN_RP_ID');
  await page.goto('/?rp=example.com');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('status')).toHaveText('SecurityError');
});

test('an account name of no use, and a second request', async ({ page, browser, baseURL, authenticator: _ }) => {
  await page.goto('/');
  const long = `create(${make("{ name: 'x' }").replace('Uint8Array(8)', 'Uint8Array(65)')})`;
  expect((await said(page, long)).split(' | ').slice(0, 2)).toEqual((await byItself(browser, baseURL!, long)).split(' | ').slice(0, 2));
  const none = `get({ publicKey: {} })`;
  expect((await said(page, none)).split(' | ').slice(0, 2)).toEqual((await byItself(browser, baseURL!, none)).split(' | ').slice(0, 2));
  const both = `get({ publicKey: { ${challenge} }, mediation: 'conditional' }).catch(() => {}) && navigator.credentials.get({ publicKey: { ${challenge} } })`;
  expect(await said(page, both)).toBe(await byItself(browser, baseURL!, both));
});

test('a frame without an origin', async ({ page, browser, baseURL, authenticator: _ }) => {
  await page.goto('/');
  const use = `<script>navigator.credentials.get({ publicKey: { ${challenge} } }).catch((e) => parent.postMessage(e.name + ': ' + e.message, '*'))</scr${'ipt'}>`;
  const call = `constructor && new Promise((_, refused) => {
    onmessage = (e) => refused(new DOMException(e.data));
    document.body.append(Object.assign(document.createElement('iframe'), ${JSON.stringify({ sandbox: 'allow-scripts', allow: 'publickey-credentials-get', srcdoc: use })}));
  })`;
  expect(await said(page, call)).toBe(await byItself(browser, baseURL!, call));
});
