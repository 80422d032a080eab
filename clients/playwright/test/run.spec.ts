// Whole test runs: what becomes of the tests, and what their reports say.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JSONReport, JSONReportSpec, JSONReportTestResult } from '@playwright/test/reporter';
import { forever, problem, ready } from './fake.js';
import { expect, test } from './world.js';

const missing = {
  ...ready, outcome: 'not_ready' as const, summary: 'AAL3 at mock: not ready, because there is no key.',
  checks: [{ code: 'KEY_PRESENT', state: 'fail' as const, title: 'A security key is there', evidence: 'none is plugged in', remedy: 'Plug one in.' }],
};

interface Run {
  /** The result of a test by its title. */
  of(title: string): JSONReportTestResult & { expected: string; reason: string | undefined; said: string };
  /** All that was written anywhere. */
  everything: string;
}

async function run(site: string, output: string, grep: string, env: Record<string, string> = {}): Promise<Run> {
  const cli = ['node_modules/@playwright/test/cli.js', 'test', '-c', 'test/inner/playwright.config.ts', '-g', grep];
  const child = spawn(process.execPath, cli, { env: { ...process.env, INNER_SITE: site, INNER_OUTPUT: output, CANARY: '1', ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk));
  await once(child, 'close');
  const report = JSON.parse(text) as JSONReport;
  const specs: JSONReportSpec[] = [];
  const walk = (suites: JSONReport['suites']) => suites.forEach((s) => (specs.push(...s.specs), walk(s.suites ?? [])));
  walk(report.suites);
  const files = readdirSync(output, { recursive: true, withFileTypes: true }).filter((f) => f.isFile());
  return {
    everything: text + files.map((f) => readFileSync(join(f.parentPath, f.name), 'latin1')).join('\n'),
    of(title) {
      const found = specs.find((s) => s.title === title)!.tests[0]!;
      const result = found.results[0]!;
      return { ...result, expected: found.expectedStatus, reason: found.annotations.find((a) => a.type === 'skip')?.description, said: result.stdout.map((o) => ('text' in o ? o.text : '')).join('') };
    },
  };
}

const attachment = (result: JSONReportTestResult, name: string) =>
  JSON.parse(Buffer.from(result.attachments.find((a) => a.name === name)!.body!, 'base64').toString());

test.describe.configure({ timeout: 120_000 });

test('a run says what was asked, what failed and why, and keeps the secrets', async ({ site, daemon }, info) => {
  daemon.queue = [{ position: 1, waiting: 'token ci has key blue' }];
  const usual = daemon.script;
  daemon.script = async (request, step) => {
    step('touch', { kind: 'touch', text: 'Touch key blue, which blinks.' });
    step('touch', { kind: 'touch', text: 'Touch key blue, which blinks.' });
    const { purpose } = daemon.leases.find((l) => l.id === request.lease)!;
    if (purpose === 'runs out of time' || purpose === 'dies') return forever(request, step);
    if (purpose === 'loses its lease') daemon.takeOver();
    if (purpose !== 'signs in') throw problem('TOUCH_TIMEOUT', { title: 'Nobody touched it', dom_exception: 'NotAllowedError' });
    return usual(request, step);
  };
  const all = await run(site.origin, info.outputPath('out'), 'signs|fails|loses|runs|dies', { CANARY: 'canary-pin' });

  const good = all.of('signs in');
  expect(good.status).toBe('passed');
  expect(good.said).toMatch(/^authbridge: place 1 in the queue: token ci has key blue\nauthbridge: touch: Touch key blue, which blinks. \(\d+ s left\)\n$/);
  expect(attachment(good, 'authbridge-verdict')).toEqual(ready);
  expect(attachment(good, 'authbridge-ceremonies')).toMatchObject({
    lease: { id: 'lease-1', state: 'ended', end: 'released', purpose: 'signs in' },
    ceremonies: [{ type: 'get', origin: site.origin, prompts: ['Touch key blue, which blinks.'], ceremony: { id: 'ceremony-1', state: 'done', authenticator_origin: 'virtual' } }],
  });

  const why = 'authbridge: get failed: Nobody touched it (TOUCH_TIMEOUT) → Remedy of TOUCH_TIMEOUT. [it had asked: Touch key blue, which blinks.]';
  const bad = all.of('fails and then asserts');
  expect(bad.status).toBe('failed');
  expect(bad.errors.map((e) => e.message).join('\n')).toContain(why);
  const meant = all.of('fails as expected');
  expect([meant.status, meant.errors]).toEqual(['passed', []]);
  expect(meant.said).toContain(why);

  const lost = all.of('loses its lease');
  expect([lost.status, lost.said]).toEqual(['passed', expect.stringContaining('authbridge: the lease ended before the test did: takeover\n')]);

  const late = all.of('runs out of time');
  expect(late.status).toBe('timedOut');
  expect(late.errors.map((e) => e.message).join('\n')).toContain('the test ended first [it had asked: Touch key blue, which blinks.]');

  expect(daemon.leases.map((l) => [l.purpose, l.end])).toEqual([
    ['signs in', 'released'], ['fails and then asserts', 'released'], ['fails as expected', 'released'], ['loses its lease', 'takeover'], ['runs out of time', 'released'], ['dies', 'connection']]);
  expect(daemon.requests[0]!.pin).toEqual({ value: 'canary-pin', secret: 'CANARY' });
  for (const secret of ['canary-pin', 'canary-token', 'canary-lease-token']) expect(all.everything.includes(secret), secret).toBe(false);
});

test('where nothing is ready a test is skipped with the reason, or fails', async ({ site, daemon }, info) => {
  daemon.verdict = missing;
  const all = await run(site.origin, info.outputPath('out'), 'signs in|fails|must have one');
  const waits = daemon.asked.filter((a) => a.includes('/v1/readiness')).map((a) => a.includes('wait='));
  expect(waits, 'a worker waits once').toEqual([true, false, false, false]);
  const reason = 'no authenticator for AAL3 at mock: AAL3 at mock: not ready, because there is no key.\n  A security key is there (KEY_PRESENT): none is plugged in → Plug one in.';
  expect([all.of('signs in').status, all.of('signs in').reason]).toEqual(['skipped', reason]);
  expect(attachment(all.of('signs in'), 'authbridge-verdict').outcome).toBe('not_ready');
  expect(all.of('must have one').status).toBe('failed');
  expect(all.of('must have one').error!.message).toContain(reason);
  expect(daemon.leases).toEqual([]);
});

test('where nothing can be leased a test is skipped, where the daemon refuses it fails', async ({ site, daemon }, info) => {
  daemon.refusal = problem('LEASE_TAKEN');
  const taken = await run(site.origin, info.outputPath('taken'), 'signs in');
  expect([taken.of('signs in').status, taken.of('signs in').reason]).toEqual(['skipped', 'no authenticator for AAL3 at mock: title of LEASE_TAKEN (LEASE_TAKEN) → Remedy of LEASE_TAKEN.']);
  daemon.refusal = problem('PHYSICAL_RIGHT', { status: 403 });
  const refused = await run(site.origin, info.outputPath('refused'), 'signs in');
  expect(refused.of('signs in').status).toBe('failed');
  expect(refused.of('signs in').error!.message).toContain('title of PHYSICAL_RIGHT');
});

test('without a daemon a test is skipped and told how to start it', async ({ site }, info) => {
  const all = await run(site.origin, info.outputPath('out'), 'signs in', { AUTHBRIDGE_URL: 'unix:///nowhere/authbridge.sock' });
  expect(all.of('signs in').reason).toContain('authbridge is not reachable at unix:///nowhere/authbridge.sock: ENOENT → start it with `authbridge run`');
});

test('a lease that was handed over is used and left to who took it', async ({ site, daemon }, info) => {
  daemon.leases.push({ id: 'lease-of-all', fence: 7, state: 'active', holder: 'user 1000' });
  const all = await run(site.origin, info.outputPath('out'), 'signs in', { AUTHBRIDGE_LEASE: 'lease-of-all' });
  expect([all.of('signs in').status, all.of('signs in').errors]).toEqual(['passed', []]);
  expect(daemon.requests.map((r) => [r.lease, r.fence])).toEqual([['lease-of-all', 7]]);
  expect(daemon.leases.map((l) => l.state)).toEqual(['active']);
});
