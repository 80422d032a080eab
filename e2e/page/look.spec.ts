// For everybody: contrast, names, keyboard, narrow screens.

import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { expect, live, test, World } from './worlds';

async function wantNoViolation(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']).analyze();
  expect(violations.map((v) => `${v.id} (${v.impact}): ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`)).toEqual([]);
}

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme, contextOptions: { reducedMotion: 'reduce' } });

    test(`axe finds nothing in any state (${colorScheme})`, async ({ page, daemon }) => {
      await page.goto(daemon.url);
      await expect(page.locator('#entry')).toBeVisible();
      await wantNoViolation(page);

      await page.goto('about:blank');
      await page.goto(daemon.entrance());
      await live(page);
      await page.locator('#unknown summary').click();
      daemon.cli('login', '--purpose', 'run 17');
      await expect(page.locator('#login-rows > li')).toHaveCount(1);
      await wantNoViolation(page);

      daemon.cli('virtual', 'fault', 'virtual-reader-1', 'pin-blocked');
      daemon.cli('virtual', 'swap', 'virtual-reader-1');
      daemon.cli('virtual', 'unplug', 'virtual-key-1');
      await expect(page).toHaveTitle('Not ready · authbridge');
      await wantNoViolation(page);

      await daemon.stop();
      await expect(page).toHaveTitle('Not running · authbridge');
      await wantNoViolation(page);
    });
  });
}

test('all of it is done by keyboard', async ({ page, daemon }) => {
  await page.goto(daemon.entrance());
  await live(page);
  const tab = async (name: RegExp) => {
    for (let i = 0; i < 80; i++) {
      await page.keyboard.press('Tab');
      const now = page.locator(':focus');
      if (await now.count() === 0) continue;
      const label = (await now.getAttribute('aria-label')) ?? (await now.innerText());
      if (name.test(label)) {
        const ring = await now.evaluate((node) => getComputedStyle(node).outlineStyle);
        expect(ring).not.toBe('none');
        return;
      }
    }
    throw new Error(`no Tab leads to ${name}`);
  };
  await page.keyboard.press('Tab');
  await expect(page.locator(':focus')).toHaveText('Skip to the content');
  await page.keyboard.press('Enter');
  await expect(page.locator('#main')).toBeFocused();
  await tab(/AAL3 at int/);
  await page.keyboard.press('Enter');
  await expect(page.locator('#why-title')).toHaveText('AAL3 at int: not ready');
  await tab(/^Pull the card/);
  await page.keyboard.press('Space');
  await expect(page.locator('#reader-rows')).toContainText('no card');
  await expect(page.locator(':focus')).toHaveText('Insert'); // focus stays where it was
  await page.keyboard.press('Space');
  await expect(page.locator('#reader-rows')).toContainText('PIN ok');
  await tab(/^Fault of virtual-key-1/);
  await page.keyboard.press('m');
  await tab(/^Set the fault of virtual-key-1/);
  await page.keyboard.press('Enter');
  await expect(page.locator('#bench-says')).toContainText('virtual-key-1: mute');
  await tab(/not known/);
  await page.keyboard.press('Enter');
  await expect(page.locator('#unknown-rows')).toBeVisible();
});

test('landmarks, headings and live regions are there', async ({ page, daemon }) => {
  await page.goto(daemon.entrance());
  await live(page);
  for (const role of ['banner', 'main'] as const) await expect(page.getByRole(role)).toHaveCount(1);
  await expect(page.getByRole('heading', { level: 1 })).toHaveCount(1);
  for (const name of ['Can I sign in?', 'On this machine', 'Leases and queue', 'Login runs', 'Virtual bench', 'Checks of the machine', 'Events']) {
    await expect(page.getByRole('region', { name, exact: true })).toBeVisible();
  }
  // What happens is told by verdicts, not event by event.
  expect(await page.locator('#event-rows').evaluate((node) => node.closest('[aria-live], [role=status], [role=log]'))).toBeNull();
});

for (const width of [320, 390]) {
  test(`nothing is wider than a screen of ${width}`, async ({ page }) => {
    await page.setViewportSize({ width, height: 844 });
    const world = await World.make(3, 'a-very-long-name-without-any-space-in-it-as-drivers-like-to-give-them-' + 'x'.repeat(60));
    await page.goto(await world.entrance());
    await live(page);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    for (const node of await page.locator('.panel').all()) {
      if (!await node.isVisible()) continue;
      const box = (await node.boundingBox())!;
      expect(box.x + box.width).toBeLessThanOrEqual(width);
    }
  });
}
