// Takes the pictures of docs/images anew: node shots.mjs, with the daemon built
// (make build). Look at them before you commit them.

import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from '@playwright/test';

const binary = process.env.AUTHBRIDGE ?? '../../bin/authbridge';
const folder = mkdtempSync(join(tmpdir(), 'ab-shots-'));
const env = { ...process.env, HOME: folder, XDG_RUNTIME_DIR: folder };
const sizes = { 1280: 860, 390: 844 };

const daemon = spawn(binary, ['run', '--state-dir', folder, '--listen', '127.0.0.1:0', '--virtual', 'on', '--physical', 'off'], { env, stdio: ['ignore', 'pipe', 'ignore'] });
for await (const line of createInterface(daemon.stdout)) if (line.startsWith('listening')) break;
const cli = (...args) => execFileSync(binary, [...args, '--state-dir', folder], { env, encoding: 'utf8' }).trim();

const browser = await chromium.launch({ executablePath: process.env.AUTHBRIDGE_CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
const pages = [];
for (const width of [1280, 390]) {
  for (const colorScheme of ['light', 'dark']) {
    const context = await browser.newContext({ viewport: { width, height: sizes[width] }, colorScheme, reducedMotion: 'reduce' });
    const page = await context.newPage();
    await page.goto(cli('open', '--print'));
    pages.push({ name: `${width}-${colorScheme}`, page });
  }
}

async function take(state, title, wanted) {
  for (const { name, page } of pages) {
    await page.waitForFunction((t) => document.title.startsWith(t), title);
    if (!wanted.includes(name)) continue;
    await page.waitForTimeout(400);
    await page.screenshot({ path: `../../docs/images/page-${state}-${name}.png` });
  }
}

cli('login', '--purpose', 'run 16');
cli('login', '--scenario', 'aal2-for-aal3', '--purpose', 'run 17');
await take('ready', 'Ready', ['1280-light', '1280-dark', '390-light']);

// A touch is waited for, and another run waits for the key.
cli('virtual', 'unplug', 'virtual-key-1');
cli('virtual', 'plug', 'virtual-key-1', '--touch', 'command');
cli('virtual', 'fault', 'virtual-reader-1', 'cert-expiring');
cli('virtual', 'swap', 'virtual-reader-1');
const runs = ['run 18', 'run 19'].map((purpose) => spawn(binary, ['login', '--kind', 'security-key', '--purpose', purpose, '--state-dir', folder], { env, stdio: 'ignore' }));
await pages[0].page.waitForSelector('#prompt-rows > li');
await pages[0].page.waitForSelector('.badge[data-state=queued]');
await take('attention', 'Attention', ['1280-light', '1280-dark', '390-dark']);
for (const run of runs) run.kill('SIGINT');

cli('virtual', 'unplug', 'virtual-key-1');
cli('virtual', 'fault', 'virtual-reader-1', 'pin-blocked');
cli('virtual', 'swap', 'virtual-reader-1');
await take('not_ready', 'Not ready', ['1280-dark', '390-light']);

daemon.kill('SIGTERM');
await take('not_running', 'Not running', ['1280-light', '390-dark']);
await browser.close();
rmSync(folder, { recursive: true, force: true });
