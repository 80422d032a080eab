// What happens, as it happens.

import { execFileSync } from 'node:child_process';
import type { Page } from '@playwright/test';
import { expect, live, test, World } from './worlds';

test('a burst of 1,000 events is followed in order', async ({ page }) => {
  const world = await World.make(10);
  await page.goto(await world.entrance());
  await live(page);
  await page.evaluate(() => {
    const seen: string[] = [];
    (window as any).seen = seen;
    new MutationObserver((records) => {
      for (const record of records) for (const node of record.addedNodes) seen.push((node as HTMLElement).dataset.id!);
    }).observe(document.getElementById('event-rows')!, { childList: true });
  });
  const { epoch, first, last } = await world.flip(1000);
  expect(last - first + 1).toBe(1000);
  const want = Array.from({ length: last - first + 1 }, (_, i) => `${epoch}-${first + i}`);
  // Others may come before and after: the targets that the page asks about are looked at.
  const seen = () => page.evaluate((burst) => (window as any).seen.filter((id: string) => burst.includes(id)), want);
  await expect.poll(async () => (await seen()).length, { timeout: 30_000 }).toBe(want.length);
  expect(await seen()).toEqual(want);
  expect(await page.locator('#event-rows li').count()).toBeLessThanOrEqual(500);
});

test('an event costs as many changes with 1,000 rows as with 10', async ({ page }) => {
  const counts: number[] = [];
  for (const keys of [10, 1000]) {
    const world = await World.make(keys);
    await page.goto('about:blank');
    await page.goto(await world.entrance());
    await live(page);
    await expect(page.locator('#key-rows > li')).toHaveCount(keys);
    await world.flip(2); // the timeline has more than its first row
    const fifth = page.locator('#key-rows > li').nth(4);
    const candidate = page.locator('#why .candidates > li').nth(4);
    await expect(candidate).toContainText('ready');
    await expect(page.locator('#event-rows li').first()).toContainText('ready');
    await page.evaluate(() => {
      (window as any).changes = 0;
      new MutationObserver((records) => { (window as any).changes += records.length; })
        .observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
    });
    const before = await rest(page);
    await world.flip(1);
    await expect(fifth).toContainText('used by another program');
    await expect(candidate).toContainText('not ready');
    counts.push(await rest(page) - before);
  }
  console.log(`DOM changes of an event: ${counts[0]} with 10 rows, ${counts[1]} with 1,000`);
  expect(counts[1]).toBe(counts[0]);
  expect(counts[0]).toBeLessThan(30);
});

/** How often the document has changed, once a second went by without a change. */
async function rest(page: Page): Promise<number> {
  for (let last = -1; ;) {
    const now = await page.evaluate(() => (window as any).changes as number);
    if (now === last) return now;
    last = now;
    await page.waitForTimeout(1000);
  }
}

test('a page that is only open calls no sign-in service', async ({ page }) => {
  const world = await World.make(6);
  await page.goto(await world.entrance());
  await live(page);
  await world.flip(2); // and what changes has it ask anew
  await expect(page.locator('#event-rows li').first()).toContainText('ready');
  await expect(page.getByRole('button', { name: 'AAL3 at int' })).toContainText(/ready|unproven/);
  expect(await world.asked()).toEqual([]);
  await page.getByRole('button', { name: 'AAL3 at int' }).press('Enter');
  await expect.poll(() => world.asked()).toEqual(['int']);
  await expect(page.locator('#why-title')).toHaveText(/AAL3 at int/);
});

test('what others wrote is shown as text', async ({ page, complaints }) => {
  const hostile = '<img src=x onerror="window.owned=1"><script>window.owned=1</script>`"\'&lt;b>';
  const world = await World.make(6, hostile);
  await page.goto(await world.entrance());
  await live(page);
  await world.flip(1);
  await expect(page.locator('#reader-rows h4')).toHaveText(hostile);
  await expect(page.locator('#key-rows h4').first()).toHaveText(hostile + '0');
  await expect(page.locator('#event-rows li').first()).toContainText(hostile);
  await expect(page.locator('#reader-rows .state')).toContainText(hostile);
  expect(await page.locator('#live img, #live script, #live b').count()).toBe(0);
  expect(await page.evaluate(() => (window as any).owned)).toBeUndefined();
  expect(complaints).toEqual([]);
  const refused = await page.evaluate(() => {
    try { document.getElementById('headline')!.innerHTML = '<b>x</b>'; return false; } catch { return true; }
  });
  expect(refused).toBe(true);
  complaints.length = 0; // of that one
});

test('the bench does what hands do', async ({ page, daemon }) => {
  await page.goto(daemon.entrance());
  await live(page);
  const tile = page.locator('#reader-rows > li').first();
  await expect(tile).toContainText('PIN ok');
  await page.getByRole('button', { name: 'Pull the card in virtual-reader-1' }).click();
  await expect(tile).toContainText('no card');
  const choice = page.getByLabel('Fault of virtual-reader-1', { exact: true });
  const [card] = JSON.parse(daemon.cli('virtual', '--json'));
  expect(card.can_fail).toContain('pulled');
  expect(await choice.locator('option').allTextContents()).toEqual(['no fault', ...card.can_fail]);
  await choice.selectOption('pin-blocked');
  await page.getByRole('button', { name: 'Set the fault of virtual-reader-1' }).click();
  await expect(page.locator('#bench-rows')).toContainText('fault: pin-blocked');
  await page.getByRole('button', { name: 'Insert the card in virtual-reader-1' }).click();
  await expect(tile).toContainText('PIN blocked');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Ready for AAL3 at mock');
  await expect(page).toHaveTitle('Attention · authbridge');
  await page.getByRole('button', { name: 'Unplug virtual-key-1' }).click();
  await expect(page).toHaveTitle('Not ready · authbridge');
  await expect(page.locator('#announce')).toHaveText(/AAL[23] at mock: not ready\./);
});

test('somebody who is needed is asked for, and a virtual key is touched by a click', async ({ page, daemon }) => {
  daemon.cli('virtual', 'unplug', 'virtual-key-1');
  daemon.cli('virtual', 'plug', 'virtual-key-1', '--touch', 'command');
  await page.goto(daemon.entrance());
  await live(page);
  const login = daemon.begin(['login', '--kind', 'security-key', '--purpose', 'run 17']);
  const ended = new Promise((resolve) => login.once('close', resolve));
  const prompt = page.locator('#prompt-rows > li');
  for (let touched = false; !touched;) { // a registration first, then the sign-in
    await expect(prompt).toContainText('run 17', { timeout: 20_000 });
    await prompt.getByRole('button', { name: 'Touch' }).click().catch(() => {});
    touched = await Promise.race([ended.then(() => true), page.waitForTimeout(700).then(() => false)]);
  }
  expect(await ended).toBe(0);
  await expect(prompt).toHaveCount(0);
  const run = page.locator('#login-rows > li').first();
  await expect(run).toContainText('sign-in at mock: passed');
  const saved = page.waitForEvent('download');
  await run.getByRole('button', { name: /^page report/ }).click();
  expect((await saved).suggestedFilename()).toMatch(/^login-[0-9a-f]+\.html$/);
});

test('the report is text for the clipboard, without names of people', async ({ page, daemon, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.goto(daemon.entrance());
  await live(page);
  await page.getByRole('button', { name: 'Copy report' }).click();
  await expect(page.getByRole('button', { name: 'Copied' })).toBeVisible();
  const elsewhere = await context.newPage(); // our own may write to the clipboard, not read
  await elsewhere.goto(`http://localhost:${daemon.port}/v1/`);
  await elsewhere.bringToFront();
  const text = await elsewhere.evaluate(() => navigator.clipboard.readText());
  expect(text).toContain('AAL3 at mock: ready.');
  expect(text).toContain('PIN_RETRIES');
  expect(text).toContain('virtual-reader-1 (virtual): ready');
});

test('the support bundle is a file, without names of people', async ({ page, daemon }) => {
  await page.goto(daemon.entrance());
  await live(page);
  const saved = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Support bundle' }).click();
  const download = await saved;
  expect(download.suggestedFilename()).toMatch(/^authbridge-bundle-\d{8}T\d{6}\.zip$/);
  const list = execFileSync('python3', ['-c', 'import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); print(*[n + "\\n" + z.read(n).decode() for n in z.namelist()])', await download.path()], { encoding: 'utf8' });
  expect(list).toContain('daemon/snapshot.json');
  expect(list).toContain('virtual-reader-1');
  expect(list).not.toContain('555200000001'); // whose the first virtual card is
});
