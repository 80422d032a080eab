import { homedir } from 'node:os';
import { test as base, type TestInfo } from '@playwright/test';
import { Bridge, Refusal, Withdrawn } from './bridge.js';
import { Ceremonies } from './ceremonies.js';
import { Daemon } from './daemon.js';
import { exceptionFor } from './dom.js';
import { isUnavailable, ProblemError, reasons } from './failures.js';
import { goDuration, handedOver, take, type Held } from './lease.js';
import { locate } from './locate.js';
import type { Ask } from './message.js';
import { complete, pinSource, type AuthbridgeOptions } from './options.js';
import type { Caller } from './origin.js';
import { Report, type CeremonyRecord } from './report.js';
import { Watch } from './watch.js';
import type { Lease, Verdict } from './wire.js';

/** The authenticator that answers navigator.credentials in the pages of the test's context. */
export interface LeasedAuthenticator {
  /** Why it is ready, with the checks that this rests on. */
  readonly verdict: Verdict;
  readonly lease: Lease;
  /** What the pages asked for so far, in the order in which they did. */
  readonly ceremonies: readonly CeremonyRecord[];
  /**
   * Does what a person does who picks the passkey that the browser offers in a
   * form (mediation 'conditional'), once the page has asked for one.
   */
  choose(): Promise<void>;
}

export interface AuthbridgeFixtures {
  authbridge: AuthbridgeOptions;
  authenticator: LeasedAuthenticator;
}

/** The longest that the daemon holds the two calls that may wait, and some more, in ms. */
const setUpTime = 660_000;

export const test = base.extend<AuthbridgeFixtures>({
  authbridge: [{}, { option: true }],

  // Waiting for an authenticator is not the test's own time.
  authenticator: [async ({ context, authbridge }, use, info) => {
    const options = complete(authbridge, info.title);
    const pin = () => options.pin && pinSource(options.pin, process.env);
    pin(); // fails now if it will
    const report = new Report(info);
    const daemon = new Daemon(locate({ env: process.env, platform: process.platform, home: homedir(), uid: process.getuid?.() ?? -1 }));
    const { verdict, held } = await obtain(daemon, options, report, info);
    let watch: Watch | undefined;
    let bridge: Bridge | undefined;
    try {
      const { id, fence } = held.lease;
      watch = await Watch.open(daemon, id, (ceremony) => report.heard(ceremony));
      const ceremonies = new Ceremonies(daemon, { lease: id, fence }, watch, pin);
      bridge = new Bridge((caller, ask, signal) => perform(ceremonies, report, caller, ask, signal));
      await bridge.install(context);
      const choosing = bridge;
      await use({ verdict, lease: held.lease, ceremonies: report.records, choose: () => choosing.choose() });
    } finally {
      await bridge?.end();
      watch?.close();
      const lease = await giveBack(held, report);
      await report.attach(verdict, lease);
    }
    // Said again where the failed assertion is read.
    const why = report.failures();
    if (why && info.status !== info.expectedStatus) throw new Error(why);
  }, { timeout: setUpTime }],
});

type Options = ReturnType<typeof complete>;

/** Questions for which this worker has waited in vain; the next tests do not wait again. */
const inVain = new Set<string>();

/** Asks for readiness, then for a lease. Where there is nothing to be had, the test is skipped or fails with the reason. */
async function obtain(daemon: Daemon, o: Options, report: Report, info: TestInfo): Promise<{ verdict: Verdict; held: Held }> {
  try {
    const verdict = await readiness(daemon, o);
    if (verdict.outcome !== 'ready') {
      await report.attach(verdict, undefined);
      unavailable(o, info, reasons(verdict));
    }
    const given = process.env.AUTHBRIDGE_LEASE;
    if (given) return { verdict, held: await handedOver(daemon, given) };
    const { aal, target, kind, user, origin, purpose, wait } = o;
    const request = { aal, target, kind, purpose, ...(user ? { user } : {}), ...(origin ? { origin } : {}) };
    return { verdict, held: await take(daemon, request, wait, (lease) => report.queued(lease)) };
  } catch (err) {
    if (isUnavailable(err)) unavailable(o, info, (err as Error).message);
    throw err;
  }
}

async function readiness(daemon: Daemon, { aal, target, kind, user, wait }: Options): Promise<Verdict> {
  const query = new URLSearchParams({ aal: String(aal), target, kind, ...(user ? { user } : {}) });
  const question = query.toString();
  const held = inVain.has(question) ? 0 : wait;
  if (held > 0) query.set('wait', goDuration(held));
  const verdict = await daemon.ask<Verdict>('GET', `/v1/readiness?${query}`, { held });
  if (verdict.outcome === 'ready') inVain.delete(question);
  else inVain.add(question);
  return verdict;
}

function unavailable(o: Options, info: TestInfo, why: string): never {
  const reason = `no authenticator for AAL${o.aal} at ${o.target}: ${why}`;
  if (o.onUnavailable === 'skip') info.skip(true, reason);
  throw new Error(reason);
}

async function perform(ceremonies: Ceremonies, report: Report, caller: Caller, ask: Ask, signal: AbortSignal) {
  const { origin, topOrigin } = caller;
  const rpId = ask.options.rp?.id ?? ask.options.rpId;
  const record = report.began({ type: ask.kind, origin, ...(topOrigin ? { topOrigin } : {}), ...(rpId ? { rpId } : {}) });
  const wish = { type: ask.kind, origin, ...(topOrigin ? { top_origin: topOrigin } : {}), options: ask.options, timeout: ask.options.timeout };
  const { credential, error, ceremony } = await ceremonies.run(wish, signal, (id) => report.became(record, id));
  if (credential) {
    report.over(record, {}, ceremony);
    return credential;
  }
  if (signal.reason instanceof Withdrawn) {
    report.over(record, { exception: 'AbortError', withdrawn: signal.reason.message }, ceremony);
    throw signal.reason;
  }
  const exception = exceptionFor(error);
  const failure = ((signal.reason ?? error) as Error).message;
  report.over(record, { exception: exception.name, failure, ...(error instanceof ProblemError ? { problem: error.problem } : {}) }, ceremony);
  throw new Refusal(exception, failure);
}

/** Releases the lease and tells what its end could not leave as it was. */
async function giveBack(held: Held, report: Report): Promise<Lease> {
  if (held.lost) report.say(`the lease ended before the test did: ${held.lost.end ?? 'no reason given'}`);
  try {
    const lease = (await held.release()) ?? held.lease;
    for (const remark of lease.remarks ?? []) report.say(remark);
    return lease;
  } catch (err) {
    report.say(`the lease could not be released: ${(err as Error).message}`);
    return held.lease;
  }
}
