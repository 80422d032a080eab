// Relying parties of others sign in at the daemon's mock of CIS2, by smartcard
// and by security key, and a page of somebody else gets nothing.

import type { APIRequestContext, Page } from '@playwright/test';
import { expect, test } from '@authbridge/playwright';

/** What e2e/browser has started. */
const { MOCK_URL, CARD_URL, OPENID_CLIENT_URL, GO_OIDC_URL } = process.env as Record<string, string>;
const realm = '/openam/oauth2/realms/root/realms/NHSIdentity/realms/Healthcare';
/** A request as the application on go-oidc makes it. */
const ofGoOIDC = () => ({
  response_type: 'code', scope: 'openid', client_id: process.env.GO_OIDC_ID!, redirect_uri: `${GO_OIDC_URL}/callback`, acr_values: 'AAL3_ANY', state: 'begun', nonce: 'n',
});
/** Whose virtual card it is. */
const cardUser = '555200000001';

test.describe.configure({ timeout: 90_000 });
const expected = { timeout: 20_000 }; // a sign-in has many steps

const parties = [
  { name: 'openid-client', url: OPENID_CLIENT_URL!, keyUser: '555200000002' },
  { name: 'go-oidc', url: GO_OIDC_URL!, keyUser: '555200000003' },
];

async function choose(page: Page, user: string, authenticator: string): Promise<void> {
  await page.locator('#user').fill(user);
  await page.locator(`#authenticator-${authenticator}`).check();
  await page.locator('button[value=choose]').click();
}

/** Has the leased card sign for what the page shows. */
async function sign(request: APIRequestContext, reference: string): Promise<void> {
  const answer = await request.post(CARD_URL!, { data: reference });
  expect(answer.status(), await answer.text()).toBe(200);
}

async function byCard(page: Page, request: APIRequestContext, party: string): Promise<void> {
  await page.goto(party);
  await page.getByRole('link', { name: 'Sign in' }).click();
  await choose(page, cardUser, 'smartcard');
  await sign(request, (await page.locator('#reference').textContent())!);
  await expect(page.getByRole('heading')).toHaveText('Signed in', expected);
}

async function wantSignedIn(page: Page, user: string, amr: string): Promise<void> {
  await expect(page.locator('h1')).toHaveText('Signed in', expected);
  const { Claims, Userinfo } = JSON.parse((await page.locator('pre').textContent())!);
  expect(Claims).toMatchObject({ sub: user, acr: 'AAL3_ANY', authentication_assurance_level: '3' });
  expect(Claims.amr).toContain(amr);
  expect(Userinfo).toMatchObject({ sub: user, uid: user });
  expect(Userinfo.nhsid_nrbac_roles).toHaveLength(1);
}

for (const { name, url, keyUser } of parties) {
  test(`${name} with the smartcard`, async ({ page, request }) => {
    await byCard(page, request, url);
    await wantSignedIn(page, cardUser, 'N3_SMARTCARD');
  });

  test(`${name} with the security key`, async ({ page, authenticator }) => {
    await page.goto(`${MOCK_URL}/register`);
    await page.locator('#user').fill(keyUser);
    await page.locator('#authenticator-security-key').check();
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.locator('#use').click();
    await expect(page.locator('#done')).toContainText(keyUser, expected);

    await page.goto(url);
    await page.getByRole('link', { name: 'Sign in' }).click();
    await choose(page, keyUser, 'security-key');
    await page.locator('#use').click();
    await wantSignedIn(page, keyUser, 'FIDO2');
    expect(authenticator.ceremonies.map((c) => [c.type, c.origin, c.ceremony?.state]))
      .toEqual([['create', MOCK_URL, 'done'], ['get', MOCK_URL, 'done']]);
  });
}

test('a request that another site posts leaves the other tabs alone', async ({ page, context, request }) => {
  const elsewhere = process.env.HOSTILE_URLS!.split(' ').find((url) => new URL(url).hostname === '127.0.0.1')!;
  const post = async (tab: Page, more: Record<string, string>) => {
    await tab.goto(`${elsewhere}/caught`);
    await tab.evaluate(([action, fields]) => {
      const form = Object.assign(document.createElement('form'), { method: 'post', action });
      for (const [name, value] of Object.entries(fields)) form.append(Object.assign(document.createElement('input'), { type: 'hidden', name, value }));
      document.body.append(form);
      form.submit();
    }, [`${MOCK_URL}${realm}/authorize`, { ...ofGoOIDC(), ...more }] as const);
  };
  await page.goto(GO_OIDC_URL!);
  await page.getByRole('link', { name: 'Sign in' }).click();
  await choose(page, cardUser, 'smartcard');

  const tab = await context.newPage();
  await post(tab, {});
  await expect(tab.getByRole('heading', { level: 1 })).toHaveText(/^Sign in to /);
  await page.reload();
  await sign(request, (await page.locator('#reference').textContent())!);
  await wantSignedIn(page, cardUser, 'N3_SMARTCARD');

  // And now it is answered from the session that the other tab has.
  const back = tab.waitForRequest((r) => r.url().startsWith(ofGoOIDC().redirect_uri));
  await post(tab, { prompt: 'none', state: 'posted' });
  const answer = new URL((await back).url()).searchParams;
  expect([answer.get('state'), answer.get('error')]).toEqual(['posted', null]);
  expect(answer.get('code')).toBeTruthy();
});

/** What a hostile page knows in the worst case: everything but the cookies. */
interface Plan {
  issuer: string;
  client: string;
  redirect: string;
  /** A sign-in that waits for a card, and one that has only to go on. */
  waiting: Step;
  done: Step;
}

interface Step {
  stage: string;
  action: string;
  csrf: string;
  reference?: string;
}

for (const origin of (process.env.HOSTILE_URLS ?? '').split(' ').filter(Boolean)) {
  test(`a hostile page at ${new URL(origin).hostname}`, async ({ page, request }) => {
    // There is a session that would answer, and two sign-ins under way.
    await byCard(page, request, GO_OIDC_URL!);
    const issuer = MOCK_URL + realm;
    const { client_id: client, redirect_uri: redirect } = ofGoOIDC();
    const asJSON = { headers: { Accept: 'application/json' } };
    const step = async (answer: ReturnType<APIRequestContext['get']>) => (await answer).json() as Promise<Step>;
    const begin = async () => {
      const params = { ...ofGoOIDC(), prompt: 'login' };
      const { action, csrf } = await step(page.request.get(`${issuer}/authorize`, { params, ...asJSON }));
      return step(page.request.post(MOCK_URL + action, { form: { csrf, do: 'choose', user: cardUser, authenticator: 'smartcard' }, ...asJSON }));
    };
    const waiting = await begin();
    let done = await begin();
    await sign(request, done.reference!);
    done = await step(page.request.get(MOCK_URL + done.action, asJSON));
    expect([waiting.stage, done.stage]).toEqual(['smartcard', 'done']);

    await page.goto(`${origin}/hostile`);
    const plan: Plan = { issuer, client, redirect, waiting, done };
    await page.locator('#plan').fill(JSON.stringify(plan));
    await page.getByRole('button', { name: 'Attack' }).click();
    await expect(page.getByRole('status')).toHaveText(/^tried [0-9]+$/, { timeout: 30_000 });
    const loot = JSON.parse((await page.locator('#loot').textContent())!) as Record<string, string>;
    expect(Object.keys(loot).length).toBeGreaterThan(60);
    for (const [what, got] of Object.entries(loot)) expect(got, what).toMatch(/^(TypeError|SecurityError|opaque|error)$/);

    // Were the page the application that asks, its server would see the code.
    const own = { ...ofGoOIDC(), client_id: process.env.CARELESS_ID!, redirect_uri: `${origin}/caught`, state: 'registered' };
    await page.goto(`${issuer}/authorize?${new URLSearchParams(own)}`);
    await expect(page).toHaveURL(`${origin}/caught`);

    // None of it moved the sign-ins, and there was a code to be had.
    expect(await step(page.request.get(MOCK_URL + waiting.action, asJSON))).toMatchObject({ stage: 'smartcard', reference: waiting.reference });
    const last = await page.request.get(`${MOCK_URL}${done.action}/continue`, { maxRedirects: 0 });
    expect(last.headers()['location']).toMatch(/[?&]code=/);
  });
}
