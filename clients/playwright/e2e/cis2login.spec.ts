// Sign-ins at the daemon's mock in the flow of an application of others, those
// that come to their end and those that must not.

import type { Page } from '@playwright/test';
import { expect, LoginError, SignInError, test, type SignInReason } from '@authbridge/playwright';

const { APP_URL, MOCK_URL, GONE_URL } = process.env as Record<string, string>;
/** Whose virtual card it is. */
const cardUser = '555200000001';
const card = { kind: 'smartcard', pin: { env: 'KEY_PIN' } } as const;

interface Tokens {
  idToken: string;
  accessToken: string;
  userinfo: { selected_roleid?: string };
}

const lastLogin = async () => (await (await fetch(`${APP_URL}/last-login`)).json()) as Tokens;
const signedIn = (page: Page) => expect(page.getByRole('heading')).toHaveText('Signed in');

/** How a sign-in failed; a failure that is none of a sign-in fails the test. */
async function failure(login: Promise<unknown>): Promise<SignInError> {
  const err = await login.then(() => 'it succeeded', (why: unknown) => why);
  if (!(err instanceof SignInError)) throw err;
  return err;
}

async function wantFailure(login: Promise<unknown>, reason: SignInReason, message: RegExp): Promise<void> {
  const err = await failure(login);
  expect([err.reason, err.message]).toEqual([reason, expect.stringMatching(message)]);
  expect(err.message).toContain(' → ');
  expect(err.message).not.toMatch(/code=|eyJ/);
}

test('with a key, which is registered the first time and not the second', async ({ page, cis2Login, verifyLogin, authenticator }) => {
  const first = await cis2Login({ start: '/login', acr: 'AAL3_ANY', user: '656005750106' });
  await signedIn(page);
  expect(first).toMatchObject({ sso: false, registered: true, user: '656005750106', acr: 'AAL3_ANY', authenticator: { kind: 'security-key', origin: 'virtual' } });
  expect(page.context().pages()).toEqual([page]);
  const { idToken, userinfo } = await lastLogin();
  const run = await verifyLogin(idToken, { userinfo });
  expect(run.authenticator).toBe(first.authenticator?.id);
  expect(run.steps.find((s) => s.name === 'nonce')?.state, 'the nonce that was seen is judged').toBe('pass');

  const second = await cis2Login({ start: '/login?prompt=login', user: '656005750106' });
  expect(second).toMatchObject({ sso: false, registered: false });
  expect(authenticator.ceremonies.map((c) => [c.type, c.ceremony?.state])).toEqual([['create', 'done'], ['get', 'done'], ['get', 'done']]);
  expect(second.ceremony).toBe(authenticator.ceremonies[2]?.ceremony?.id);
});

test('of a user who is asked for a role', async ({ page, cis2Login }) => {
  await cis2Login({ start: '/login?scope=openid%20selectedrole', user: '656005750104' });
  await signedIn(page);
  expect((await lastLogin()).userinfo.selected_roleid).toMatch(/^\d+$/);
});

test('in a window of its own', async ({ page, context, cis2Login }) => {
  await page.goto('/');
  await cis2Login({ user: '656005750106', start: () => page.evaluate(() => void window.open('/login')) });
  await signedIn(context.pages()[1]!);
});

test('a session answers', async ({ page, cis2Login, verifyLogin }) => {
  const { ceremony } = await cis2Login({ start: '/login', user: '656005750106' });
  await page.goto('/');
  await page.getByRole('link', { name: 'Sign in' }).click();
  expect(await cis2Login()).toEqual({ sso: true, registered: false, acr: 'AAL3_ANY' });
  await signedIn(page);
  const { idToken, userinfo } = await lastLogin();
  const run = await verifyLogin(idToken, { userinfo });
  expect(run.steps.find((s) => s.name === 'ceremony')).toMatchObject({ state: 'pass' });
  expect(ceremony).toBeDefined();
});

test('what must be refused is, and says why', async ({ page, cis2Login }) => {
  await wantFailure(cis2Login({ start: '/login', user: '656005750109' }), 'user-level', /at AAL2 at most.*asks for AAL3_ANY/);
  await wantFailure(cis2Login({ start: '/login', user: '999999999999' }), 'unknown-user', /There is no such user/);
  await wantFailure(cis2Login({ start: '/login' }), 'no-user', /cis2Login\(\{ user \}\)/);
  await wantFailure(cis2Login({ start: '/login', acr: 'AAL2_ANY', user: cardUser }), 'other-acr', /asks for AAL3_ANY, and the test is about AAL2_ANY/);
  await wantFailure(cis2Login({ start: '/login?acr=AAL3_N3_SMARTCARD', user: cardUser }), 'authenticator', /AAL3_N3_SMARTCARD, for which the page offers Smartcard, and the lease is of a security key/);
  await wantFailure(cis2Login({ start: '/login?acr=AAL9', user: cardUser }), 'refused', /sent the page back with /);
  await wantFailure(cis2Login({ start: '/login?client_id=000000000009.apps.national', user: cardUser }), 'refused', /No application is registered/);
  await page.goto('/');
  await wantFailure(cis2Login({ user: cardUser }), 'not-the-sign-in-page', new RegExp(`at ${APP_URL}, and was not sent to the sign-in page of mock at ${MOCK_URL}`));
});

test('a page that looks like the sign-in page gets nothing', async ({ page, context, cis2Login }) => {
  const body = '<main data-stage="choose"><form><input name="user"><input type="radio" name="authenticator" value="security-key"><button name="do" value="choose" type="button">go</button></form></main>';
  await context.route('**/lookalike', (route) => route.fulfill({ contentType: 'text/html', body }));
  await wantFailure(cis2Login({ start: '/lookalike', user: cardUser }), 'not-the-sign-in-page', /`start` can do it/);
  // It was sent to the right one before.
  const start = async () => {
    await page.goto('/login');
    await page.goto('/lookalike');
  };
  await wantFailure(cis2Login({ start, user: cardUser, timeout: 3_000 }), 'timeout', /at the step back/);
  expect(await page.locator('input[name=user]').inputValue()).toBe('');
});

test('an application that is gone, or does not answer', async ({ cis2Login }) => {
  await wantFailure(cis2Login({ start: `/login?redirect_uri=${GONE_URL}`, user: '656005750106' }), 'application', /ERR_CONNECTION_REFUSED/);
  await wantFailure(cis2Login({ start: `/login?redirect_uri=${APP_URL}/silence&prompt=login`, user: '656005750106', timeout: 5_000 }),
    'timeout', /after 5 s at the step back: the application's page did not come/);
});

test('a token that was changed fails by its signature', async ({ cis2Login, verifyLogin }) => {
  await cis2Login({ start: '/login', user: '656005750106' });
  const { idToken, userinfo } = await lastLogin();
  const [head, body, signature] = idToken.split('.') as [string, string, string];
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as object;
  const other = Buffer.from(JSON.stringify({ ...claims, canary: 'canary-claim' })).toString('base64url');
  const err = await verifyLogin([head, other, signature].join('.'), { userinfo }).then(() => undefined, (why: unknown) => why as LoginError);
  expect(err).toBeInstanceOf(LoginError);
  expect(err!.message).toMatch(/signature \(TOK_SIG\): expected .*, got .* → [^]*report: .*\.html$/);
  expect(err!.run.steps.filter((s) => s.state === 'fail').map((s) => s.code)).toContain('TOK_SIG');
});

test('a token of another user, application or request does not pass', async ({ cis2Login, verifyLogin }) => {
  await cis2Login({ start: '/login', user: '656005750106' });
  const { idToken, userinfo } = await lastLogin();
  await expect(verifyLogin(idToken, { userinfo, user: cardUser })).rejects.toThrow(/TOK_SUB/);
  await expect(verifyLogin(idToken, { userinfo, clientId: '000000000001.apps.national' })).rejects.toThrow(/TOK_AUD/);
  await expect(verifyLogin(idToken, { userinfo, nonce: 'another' })).rejects.toThrow(/nonce/);
});

test.describe('with a card', () => {
  test.use({ authbridge: card });

  test('of the card holder', async ({ page, cis2Login, verifyLogin, authenticator }) => {
    const done = await cis2Login({ start: '/login', acr: 'AAL3_ANY' });
    await signedIn(page);
    expect(done).toMatchObject({ sso: false, registered: false, user: cardUser, authenticator: { kind: 'smartcard', origin: 'virtual' } });
    expect(authenticator.ceremonies).toMatchObject([{ type: 'sign', origin: MOCK_URL, ceremony: { id: done.ceremony, state: 'done' } }]);
    const { idToken, accessToken } = await lastLogin();
    const run = await verifyLogin(idToken, { accessToken });
    expect(run).toMatchObject({ state: 'passed', kind: 'smartcard', origin: 'virtual' });
  });

  test('for somebody else', async ({ cis2Login }) => {
    await wantFailure(cis2Login({ start: '/login', user: '656005750106' }), 'refused', /the card is another user's/);
  });
});

// Whoever runs it looks at how it fails.
test.describe('at INT', () => {
  test.use({ authbridge: { target: 'int', origin: 'virtual', wait: 0, onUnavailable: 'fail' } });
  test('a virtual key is not lent', async ({ cis2Login }) => {
    await cis2Login({ start: '/login' });
  });
});
