import { expect, test } from '@authbridge/playwright';

test('registers and signs in', async ({ page, authenticator }) => {
  await page.goto('/');
  await page.getByLabel('User name').fill('ann');
  await page.getByRole('button', { name: 'Register' }).click();
  await expect(page.getByRole('status')).toHaveText('registered as ann');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('status')).toHaveText('signed in as ann');
  expect(authenticator.verdict.outcome).toBe('ready');
  expect(authenticator.lease.origin).toBe('virtual');
});
