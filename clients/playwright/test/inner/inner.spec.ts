import { expect, test } from '@authbridge/playwright';

const use = `navigator.credentials.get({ publicKey: { challenge: new Uint8Array(32) } }).then((c) => c.id, (e) => e.name)`;

test.beforeEach(({ page }) => page.goto(process.env.INNER_SITE!));

test('signs in', async ({ page, authenticator }) => {
  expect(await page.evaluate(use)).toBe('aWQ');
  expect(authenticator.verdict.outcome).toBe('ready');
  expect(authenticator.lease.id).toMatch(/^lease-/);
});

test('fails and then asserts', async ({ page, authenticator: _ }) => {
  expect(await page.evaluate(use)).toBe('aWQ');
});

test('fails as expected', async ({ page, authenticator: _ }) => {
  expect(await page.evaluate(use)).toBe('NotAllowedError');
});

test('loses its lease', async ({ page, authenticator: _ }) => {
  expect(await page.evaluate(use)).toBe('NotAllowedError');
});

test('runs out of time', async ({ page, authenticator: _ }) => {
  test.setTimeout(1500);
  await page.evaluate(use);
});

test('dies', async ({ page, authenticator: _ }) => {
  void page.evaluate(use);
  await page.waitForFunction('false', undefined, { timeout: 500 }).catch(() => undefined);
  process.kill(process.pid, 'SIGKILL');
});

test.describe('by choice', () => {
  test.use({ authbridge: { wait: 0, onUnavailable: 'fail' } });
  test('must have one', async ({ authenticator: _ }) => {});
});
