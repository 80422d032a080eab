// The daemon goes, and comes back.

import { expect, live, test } from './worlds';

test('a daemon that has gone is said to be, and what comes in its place asks for a new way in', async ({ page, daemon }) => {
  await page.goto(daemon.entrance());
  await live(page);
  const { port } = daemon;
  await daemon.stop();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Not running');
  await expect(page).toHaveTitle('Not running · authbridge');
  await expect(page.locator('#key-rows > li')).toHaveCount(1); // what was known last
  await daemon.start(`127.0.0.1:${port}`);
  await expect(page.getByRole('heading', { name: 'This page has ended' })).toBeVisible();
  await expect(page.locator('#key-rows > li')).toHaveCount(0);
  await page.goto(daemon.entrance());
  await live(page);
});

test('where only the way to it was cut, the page comes back by itself and misses nothing', async ({ page, daemon, context }) => {
  await page.goto(daemon.entrance());
  await live(page);
  await context.setOffline(true);
  daemon.cli('virtual', 'remove', 'virtual-reader-1');
  await page.evaluate(() => fetch('/').catch(() => 'cut')); // the browser has taken the line down
  await context.setOffline(false);
  await expect(page.locator('#reader-rows')).toContainText('no card', { timeout: 60_000 });
  await live(page);
});
