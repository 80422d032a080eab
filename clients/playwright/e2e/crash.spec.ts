import { expect, test } from '@authbridge/playwright';

test('dies while the key blinks', async ({ page, authenticator }) => {
  await page.goto('/');
  await page.getByLabel('User name').fill('ann');
  await page.getByRole('button', { name: 'Register' }).click();
  await expect.poll(() => authenticator.ceremonies[0]?.prompts.length).toBe(1);
  process.kill(process.pid, 'SIGKILL');
});
