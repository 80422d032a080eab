import { expect, test } from '@authbridge/playwright';

// Your application's own hook for tests. Asked from here and not by the page, no
// token gets into a trace.
const lastLogin = async () => (await fetch(new URL('/last-login', process.env.APP_URL ?? 'http://localhost:3000'))).json();

test('signs in at AAL3 with a security key', async ({ page, cis2Login, verifyLogin }) => {
  await page.goto('/');
  await page.getByRole('link', { name: 'Sign in' }).click();
  const done = await cis2Login({ acr: 'AAL3_ANY', user: '656005750108' });
  expect(done.authenticator?.kind).toBe('security-key');
  await expect(page.getByRole('heading')).toHaveText('Signed in');

  const { idToken, userinfo } = await lastLogin();
  await verifyLogin(idToken, { userinfo });
});

test.describe('with a smartcard', () => {
  test.use({ authbridge: { kind: 'smartcard', pin: { env: 'KEY_PIN' } } });

  test('signs in as whose card it is', async ({ cis2Login, verifyLogin }) => {
    const { user } = await cis2Login({ start: '/login' });
    const { idToken, userinfo } = await lastLogin();
    await verifyLogin(idToken, { userinfo, user });
    // The session at the sign-in service answers the next request.
    expect(await cis2Login({ start: '/login' })).toMatchObject({ sso: true });
  });
});
