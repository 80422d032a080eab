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
