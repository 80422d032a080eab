// Sign-ins that a person sees to, at a stand-in for INT's page. No name is
// looked up here, so nothing leaves the machine.

import type { Page } from '@playwright/test';
import { chromium } from '../chromium.js';
import { SignInError } from '../src/index.js';
import { problem, ready } from './fake.js';
import { expect, test as base } from './world.js';

const host = 'https://login.int.test';
const issuer = `${host}:443/openam/oauth2/realms/root/realms/NHSIdentity/realms/Healthcare`;

/** The service sends the page to one of its own, and through its endpoint once more when somebody has signed in. */
const service = `<!doctype html><link rel=icon href=data:,><main data-stage="choose"><form><input name="user"><button name="do" value="choose" type="button">Go on</button></form></main>
<button id="use">Use the key</button><p role="status"></p><script>
  const asked = new URLSearchParams(sessionStorage.asked ??= location.search);
  if (sessionStorage.done) location.replace(asked.get('redirect_uri') + '?code=canary-code&state=' + asked.get('state'));
  for (const event of ['click', 'input']) document.querySelector('form').addEventListener(event, () => new Image().src = '/touched');
  document.querySelector('#use').onclick = () => navigator.credentials.get({ publicKey: { challenge: new Uint8Array(32) } }).then(
    () => { sessionStorage.done = 'yes'; location.assign('${new URL(issuer).pathname}/authorize?' + asked); },
    (e) => (document.querySelector('[role=status]').textContent = e.name));
</script>`;

const test = base.extend<{ start: (page: Page) => Promise<void> }>({
  // A page of the application that sends its user to the service.
  start: async ({ site, context }, use) => {
    await context.route(`${host}/**`, (route) => route.fulfill({ contentType: 'text/html', body: service }));
    site.pages.set('/callback', { html: '<!doctype html><link rel=icon href=data:,><h1>back</h1>' });
    const asked = new URLSearchParams({ client_id: 'c', redirect_uri: `${site.origin}/callback`, acr_values: 'AAL3_ANY', nonce: 'n', state: 's' });
    await use(async (page) => {
      await page.goto(site.origin);
      await page.evaluate((to) => location.assign(to), `${issuer}/authorize?${asked}`);
    });
  },
});

test.use({
  authbridge: { target: 'int' },
  launchOptions: { ...chromium, args: ['--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost'] },
});
test.beforeEach(({ daemon }) => {
  daemon.verdict = { ...ready, target: 'int', issuer };
});

/** What the person does, once the page asks. */
async function person(page: Page): Promise<void> {
  await page.locator('#use').click();
}

test('the leased key answers the page, and nothing is clicked', async ({ page, start, daemon, cis2Login }) => {
  const touched: string[] = [];
  page.on('request', (request) => void (request.url().endsWith('/touched') && touched.push(request.url())));
  const signingIn = cis2Login({ start, acr: 'AAL3_ANY', user: '555012345678' });
  await person(page);
  expect(await signingIn).toEqual({
    sso: false, registered: false, acr: 'AAL3_ANY', user: '555012345678', ceremony: 'ceremony-1',
    authenticator: { id: 'a1', name: 'key blue', kind: 'security-key', origin: 'physical' },
  });
  await expect(page.getByRole('heading')).toHaveText('back');
  expect(daemon.requests).toMatchObject([{ type: 'get', origin: host }]);
  expect(touched).toEqual([]);
});

test('a session answers', async ({ page, start, context, cis2Login }) => {
  await context.route(`${host}/**`, async (route) => {
    const back = new URL(route.request().url()).searchParams.get('redirect_uri')!;
    await route.fulfill({ status: 302, headers: { location: `${back}?code=canary-code` } });
  });
  expect(await cis2Login({ start })).toEqual({ sso: true, registered: false, acr: 'AAL3_ANY' });
  expect(page.url()).toContain('/callback?');
});

test('what the daemon refuses ends it, with the code and what to do', async ({ page, start, daemon, cis2Login }) => {
  daemon.script = () => Promise.reject(problem('WEBAUTHN_NOT_LISTED', { dom_exception: 'SecurityError' }));
  const signingIn = cis2Login({ start });
  const failed = expect(signingIn).rejects.toThrow('cis2Login: get failed: title of WEBAUTHN_NOT_LISTED (WEBAUTHN_NOT_LISTED) → Remedy of WEBAUTHN_NOT_LISTED.');
  await person(page);
  await failed;
  await expect(page.getByRole('status')).toHaveText('SecurityError');
});

test('nobody comes', async ({ start, cis2Login }) => {
  const err = await cis2Login({ start, timeout: 2_000 }).catch((why: unknown) => why);
  expect(err).toBeInstanceOf(SignInError);
  expect(err).toMatchObject({ reason: 'timeout', step: 'ceremony', message: expect.stringContaining('timed out after 2 s at the step ceremony: the security-key did not sign in →') });
});
