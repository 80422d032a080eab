// Opens the page at an address and says for each event when it is in the list of
// what happened: its id, and the time in milliseconds since 1970. For the bench.

import { chromium } from '@playwright/test';

const browser = await chromium.launch({ executablePath: process.env.AUTHBRIDGE_CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
const page = await browser.newPage();
await page.exposeFunction('shown', (id, at) => console.log(id, at));
await page.goto(process.argv[2]);
await page.locator('#live').waitFor();
await page.evaluate(() => {
  new MutationObserver((records) => {
    const at = performance.timeOrigin + performance.now();
    for (const record of records) for (const node of record.addedNodes) if (node.dataset.id) window.shown(node.dataset.id, at);
  }).observe(document.getElementById('event-rows'), { childList: true });
});
console.log('ready', 0);
process.on('SIGTERM', () => browser.close());
