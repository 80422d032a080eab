// The pages of the mock of CIS2, for those who look, those who listen, those
// without a mouse and those without JavaScript.

import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from '@playwright/test';
import { expect, test } from '@authbridge/playwright';

/** The daemon's mock, which lets any proof of a card pass; e2e/browser has said so. */
const url = process.env.MOCK_URL!;
const issuer = `${url}/openam/oauth2/realms/root/realms/NHSIdentity/realms/Healthcare`;
/** Of the application "Ward round". */
const callback = process.env.CALLBACK_URL!;
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

test.describe.configure({ timeout: 60_000 });
// One authority for the time of a test, by its key; no trust store has it.
const trusted = process.env.TRUSTED_KEY;
test.use({ launchOptions: { executablePath: '/usr/bin/chromium', args: trusted ? [`--ignore-certificate-errors-spki-list=${trusted}`] : [] } });

function authorize(more: Record<string, string>): string {
  const q = { response_type: 'code', client_id: 'ward', redirect_uri: callback, scope: 'openid', state: 's', nonce: 'n', acr_values: 'AAL2_OR_AAL3_ANY', ...more };
  return `${issuer}/authorize?${new URLSearchParams(q)}`;
}

/** The code that an authenticator application shows now, or some steps later (RFC 6238). */
function code(secret: string, ahead = 0): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...secret].map((c) => alphabet.indexOf(c).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g)!.map((b) => parseInt(b, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + ahead));
  const mac = createHmac('sha1', key).update(step).digest();
  return String((mac.readUInt32BE(mac[19]! & 15) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

/** One that was not used to register: each is good once, and the next one is taken already. */
const later = (secret: string) => code(secret, 1);

async function choose(page: Page, user: string, authenticator: string): Promise<void> {
  await page.locator('#user').fill(user);
  await page.locator(`#authenticator-${authenticator}`).check();
  await page.getByRole('button', { name: 'Continue' }).click();
}

/** Brings the signature of a card for a reference, or says so: this mock does not look. */
async function prove(reference: string): Promise<void> {
  const body = JSON.stringify({ reference, certificate: 'AAAA', signature: 'AAAA' });
  const answer = await fetch(`${url}/proof`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
  expect(answer.status).toBe(200);
}

async function register(page: Page, user: string): Promise<string> {
  await page.goto(`${url}/register`);
  await choose(page, user, 'totp');
  const secret = (await page.locator('#secret').textContent())!;
  await page.locator('#code').fill(code(secret));
  await page.getByRole('button', { name: 'Register' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Registered');
  return secret;
}

/** What the browser brings back to the application. */
async function sentBack(page: Page): Promise<URLSearchParams> {
  await page.waitForURL((at) => at.href.startsWith(callback));
  return new URL(page.url()).searchParams;
}

/** What axe finds, and whether anything is beyond the edge. */
async function faults(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { violations } = await (globalThis as unknown as { axe: { run(): Promise<{ violations: { id: string; nodes: { target: unknown; failureSummary: string }[] }[] }> } }).axe.run();
    const all = violations.flatMap(({ id, nodes }) => nodes.map((n) => `${id}: ${String(n.target)}: ${n.failureSummary}`));
    const { scrollWidth, clientWidth } = document.documentElement;
    return scrollWidth > clientWidth ? [...all, `scrolls sideways: ${scrollWidth} of ${clientWidth}`] : all;
  });
}

for (const [size, viewport] of Object.entries({ desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } })) {
  for (const colorScheme of ['light', 'dark'] as const) {
    test.describe(`${size}, ${colorScheme}`, () => {
      test.use({ viewport, colorScheme });
      test(`every page, ${size}, ${colorScheme}`, async ({ page, authenticator }) => {
        const user = `65600575010${['desktop light', 'desktop dark', 'phone light', 'phone dark'].indexOf(`${size} ${colorScheme}`) + 5}`;
        const headings: string[] = [];
        const look = async (heading: string) => {
          await expect(page.getByRole('heading', { level: 1 })).toHaveText(heading);
          expect(await faults(page), heading).toEqual([]);
          headings.push(heading);
        };
        await page.goto(url);
        await look('A mock of NHS CIS2 Authentication');
        await page.getByRole('link', { name: 'Register a key or an app' }).click();
        await look('Register a key or an app');
        await choose(page, '656005750999', 'security-key');
        await expect(page.getByRole('alert')).toHaveText('There is no such user.');
        await look('Register a key or an app');
        await choose(page, user, 'security-key');
        await look('Register a security key');
        await page.getByRole('button', { name: 'Register the security key' }).click();
        await look('Registered');
        expect(authenticator.ceremonies.map((c) => c.ceremony?.state)).toEqual(['done']);
        await page.getByRole('link', { name: 'Register another one' }).click();
        await choose(page, user, 'totp');
        await look('Register an authenticator app');
        await page.locator('#code').fill(code((await page.locator('#secret').textContent())!));
        await page.getByRole('button', { name: 'Register' }).click();
        await expect(page.getByRole('status')).toContainText('Authenticator app');

        await page.goto(authorize({ acr_values: 'AAL1_USERPASS AAL2_OR_AAL3_ANY' }));
        await look('Sign in to Ward round');
        await choose(page, user, 'totp');
        await look('Enter the code of your authenticator app');
        await page.locator('#code').fill('000000');
        await page.getByRole('button', { name: 'Sign in', exact: true }).click();
        await expect(page.getByRole('alert')).toBeVisible();
        await look('Enter the code of your authenticator app');
        await page.getByRole('button', { name: 'Sign in another way' }).click();
        await choose(page, user, 'security-key');
        await look('Use your security key');
        await page.getByRole('button', { name: 'Sign in another way' }).click();
        await choose(page, '656005750104', 'smartcard');
        await look('Use your smartcard');

        await page.goto(authorize({ scope: 'openid selectedrole' }));
        await choose(page, '656005750104', 'smartcard');
        await prove((await page.locator('#reference').textContent())!);
        await look('Choose your role');
        // The last page goes on by itself, but not here.
        await page.route(/\/signin\/[^/]+$/, async (route) => {
          const response = await route.fetch();
          await route.fulfill({ response, body: (await response.text()).replace(/<meta http-equiv="refresh"[^>]*>/, '') });
        });
        await page.getByRole('button', { name: 'Continue' }).click();
        await look('Back to Ward round');
        await page.request.get(url + (await page.getByRole('link', { name: 'Continue to Ward round' }).getAttribute('href'))!, { maxRedirects: 0 });

        await page.goto(`${issuer}/connect/endSession`);
        await look('Sign out?');
        await page.getByRole('button', { name: 'Sign out' }).click();
        await look('You are signed out');
        await page.goto(authorize({ client_id: 'nobody' }));
        await look('This did not work');
        expect(new Set(headings).size).toBe(14);
      });
    });
  }
}

test('by keyboard alone', async ({ page }) => {
  const secret = await register(page, '555200000001');
  await page.goto(authorize({ acr_values: 'AAL2_TOTP AAL2_ANY' }));
  const focused = () => page.evaluate(() => {
    const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement!);
    return { id: document.activeElement!.id, text: document.activeElement!.textContent, seen: outlineStyle !== 'none' && parseInt(outlineWidth, 10) >= 2 };
  });
  await page.keyboard.press('Tab');
  expect(await focused()).toMatchObject({ id: 'user', seen: true });
  await page.keyboard.type('555200000001');
  await page.keyboard.press('Tab');
  while ((await focused()).id !== 'authenticator-totp') await page.keyboard.press('ArrowDown');
  expect(await focused()).toMatchObject({ seen: true });
  await page.keyboard.press('Tab');
  expect(await focused()).toMatchObject({ text: 'Continue', seen: true });
  await page.keyboard.press('Tab');
  expect(await focused()).toMatchObject({ text: 'Cancel', seen: true });
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Enter');
  await expect(page.locator('main')).toHaveAttribute('data-stage', 'totp');
  await page.keyboard.press('Tab');
  await page.keyboard.type(later(secret));
  const back = sentBack(page);
  await page.keyboard.press('Enter');
  expect((await back).get('code')).toBeTruthy();
});

test.describe('without JavaScript', () => {
  test.use({ javaScriptEnabled: false });
  test('by app, and by smartcard', async ({ page }) => {
    const secret = await register(page, '555200000002');
    await page.goto(authorize({ acr_values: 'AAL2_TOTP' }));
    await choose(page, '555200000002', 'totp');
    await page.locator('#code').fill(later(secret));
    let back = sentBack(page);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    expect((await back).get('code')).toBeTruthy();

    await page.goto(authorize({ acr_values: 'AAL3_ANY' }));
    await choose(page, '555200000002', 'smartcard');
    back = sentBack(page);
    await prove((await page.locator('#reference').textContent())!);
    expect((await back).get('code')).toBeTruthy();

    // What cannot be done without says so.
    await page.goto(`${url}/register`);
    await choose(page, '555200000002', 'passkey');
    await expect(page.locator('noscript .problem')).toBeVisible();
  });
});
