// The daemon goes, and comes back.

import { createServer, request as ask } from 'node:http';
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

/** A way to the daemon that can be cut. It says to the daemon that it is asked by its own address. */
async function cuttable(target: string) {
  const { host } = new URL(target);
  const way = createServer((request, response) => {
    const headers = { ...request.headers, host, ...(request.headers.origin && { origin: target }) };
    const onward = ask(target + request.url, { method: request.method, headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
      response.once('close', () => answer.destroy());
    });
    onward.once('error', () => response.destroy());
    request.pipe(onward);
  });
  const listen = (port: number) => new Promise<void>((resolve) => way.listen(port, '127.0.0.1', resolve));
  await listen(0);
  const { port } = way.address() as { port: number };
  const cut = () => { way.close(); way.closeAllConnections(); };
  return { port, cut, mend: () => listen(port) };
}

test('where only the way to it was cut, the page comes back by itself and misses nothing', async ({ page, daemon }) => {
  const way = await cuttable(daemon.url);
  try {
    await page.goto(daemon.entrance().replace(`:${daemon.port}/`, `:${way.port}/`));
    await live(page);
    way.cut();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Not running');
    daemon.cli('virtual', 'remove', 'virtual-reader-1');
    await way.mend();
    await live(page);
    await expect(page.locator('#reader-rows')).toContainText('no card');
    await expect(page).toHaveTitle('Ready · authbridge');
    await expect(page.locator('#event-rows')).toContainText('card removed from virtual-reader-1');
  } finally {
    way.cut();
  }
});
