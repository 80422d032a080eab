import { expect, test } from '@authbridge/playwright';

test('nobody touches the key', async ({ page, authenticator }) => {
  await page.goto('/?timeout=2000');
  await page.getByLabel('User name').fill('ann');
  await page.getByRole('button', { name: 'Register' }).click();
  await expect(page.getByRole('status')).toHaveText('NotAllowedError', { timeout: 15_000 });
  expect(authenticator.ceremonies[0]?.failure).toMatch(/^Nobody touched the security key in time/);
  expect(authenticator.ceremonies[0]?.prompts[0]).toMatch(/^Touch .*, for nobody touches the key$/);
});

test('a test that relies on it', async ({ page, authenticator: _ }) => {
  await page.goto('/?timeout=2000');
  await page.getByLabel('User name').fill('ann');
  await page.getByRole('button', { name: 'Register' }).click();
  await expect(page.getByRole('status')).toHaveText(/^(registered|NotAllowedError)/, { timeout: 15_000 });
  await expect(page.getByRole('status')).toHaveText('registered as ann', { timeout: 500 });
});

test('a page that leaves while the key blinks', async ({ page, authenticator }) => {
  for (const n of [0, 1]) {
    await page.goto('/?timeout=60000');
    await page.getByLabel('User name').fill('ann');
    await page.getByRole('button', { name: 'Register' }).click();
    await expect.poll(() => authenticator.ceremonies[n]?.prompts.length).toBe(1);
    await page.goto('about:blank');
    await expect.poll(() => authenticator.ceremonies[n]?.ceremony?.state).toBe('cancelled');
  }
  expect(authenticator.ceremonies.map((c) => c.withdrawn)).toEqual(Array(2).fill('the page went elsewhere'));
});
