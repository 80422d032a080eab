// The way in.

import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, live, test } from './worlds';

test('the code leads in once, and leaves nothing in the address', async ({ page, daemon, browser }) => {
  const address = daemon.entrance();
  await page.goto(address);
  await live(page);
  expect(page.url()).toBe(daemon.url + '/');
  expect(await page.evaluate(() => document.cookie)).toBe('');
  expect(await page.context().cookies()).toEqual([]);
  await page.reload();
  await live(page);

  const other = await (await browser.newContext()).newPage();
  await other.goto(address);
  await expect(other.getByRole('heading', { name: 'This code has been used' })).toBeVisible();
  await expect(other.getByText('authbridge open', { exact: true })).toBeVisible();
  await other.goto('about:blank');
  await other.goto(daemon.url);
  await expect(other.getByRole('heading', { name: 'This page is not open yet' })).toBeVisible();
  await expect(other.locator('#live')).toBeHidden();
});

test('localhost and 127.0.0.1 are two origins: what one holds the other has not', async ({ page, daemon }) => {
  await page.goto(daemon.entrance());
  await live(page);
  await page.goto(`http://localhost:${daemon.port}/`);
  await expect(page.getByRole('heading', { name: 'This page is not open yet' })).toBeVisible();
});

test('authbridge open leads the browser by a file', async ({ page, daemon }) => {
  const bin = join(daemon.folder, 'bin');
  const argv = join(daemon.folder, 'argv');
  mkdirSync(bin);
  writeFileSync(join(bin, 'xdg-open'), `#!/bin/sh\nprintf '%s\\n' "$@" > '${argv}.part' && mv '${argv}.part' '${argv}'\n`);
  chmodSync(join(bin, 'xdg-open'), 0o700);
  const open = daemon.begin(['open'], { PATH: `${bin}:${process.env.PATH}`, DISPLAY: ':0' });
  let said = '';
  open.stdout!.on('data', (text) => { said += text; });
  const ended = new Promise((resolve) => open.once('close', resolve));
  await expect.poll(() => existsSync(argv)).toBe(true);
  const file = readFileSync(argv, 'utf8').trim();
  expect(file).toMatch(/\/page-\d+\.html$/);
  expect(statSync(file).mode & 0o777).toBe(0o600);

  await page.goto('file://' + file);
  await page.waitForURL(daemon.url + '/');
  await live(page);
  expect(await ended).toBe(0);
  expect(said).toBe('The page is open in your browser.\n');
  expect(existsSync(file)).toBe(false);
});

test('the page asks for status once, and holds no more than it was given', async ({ page, daemon }) => {
  const asked: string[] = [];
  page.on('request', (request) => asked.push(`${request.method()} ${new URL(request.url()).pathname}`));
  await page.goto(daemon.entrance());
  await live(page);
  daemon.cli('virtual', 'swap', 'virtual-reader-1');
  await expect(page.locator('#event-rows li code').first()).toHaveText(/authenticator|check/);
  expect(asked.filter((a) => a === 'GET /v1/status')).toHaveLength(1);
  expect(asked.filter((a) => a.startsWith('GET /v1/events'))).toHaveLength(1);
  const session = JSON.parse(await page.evaluate(() => sessionStorage.getItem('authbridge')!));
  expect(session.rights).toEqual(['read', 'lease', 'virtual']);
  expect(await page.evaluate(() => localStorage.length)).toBe(0);
});
