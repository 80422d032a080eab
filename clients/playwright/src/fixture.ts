import { homedir } from 'node:os';
import { test as base, type PlaywrightTestArgs, type PlaywrightTestOptions, type PlaywrightWorkerArgs, type PlaywrightWorkerOptions, type TestInfo, type TestType } from '@playwright/test';
import { Bridge, Refusal, Withdrawn } from './bridge.js';
import { Ceremonies } from './ceremonies.js';
import type { Means } from './course.js';
import { Daemon } from './daemon.js';
import { exceptionFor } from './dom.js';
import { isUnavailable, ProblemError, reasons } from './failures.js';
import { Journeys } from './journey.js';
import { goDuration, handedOver, take, type Held } from './lease.js';
import { locate } from './locate.js';
import type { Ask } from './message.js';
import { complete, pinSource, type AuthbridgeOptions } from './options.js';
import type { Caller } from './origin.js';
import { Report, type CeremonyRecord } from './report.js';
import { signIn, signInTime, type SignIn, type SignInOptions } from './signin.js';
import { verify, type Seen, type VerifyOptions } from './verify.js';
import { Watch } from './watch.js';
import type { Lease, Login, Verdict } from './wire.js';

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
  /**
   * Signs in where the application has sent its page: at the mock by itself, at
   * any other target with the leased key answering a page that a person sees to.
   * Returns once the page is back; throws SignInError where it does not get there.
   */
  cis2Login(options?: SignInOptions): Promise<SignIn>;
  /**
   * Has the tokens judged that the application obtained, and attaches the
   * reports; throws LoginError where they do not pass.
   */
  verifyLogin(idToken: string, options?: VerifyOptions): Promise<Login>;
}

/** What the fixtures share within a test. */
interface Shared {
  _daemon: Daemon;
  _loan: { authenticator: LeasedAuthenticator; means: Means };
  _seen: Seen[];
}

type Test = TestType<PlaywrightTestArgs & PlaywrightTestOptions & AuthbridgeFixtures, PlaywrightWorkerArgs & PlaywrightWorkerOptions>;

/** The longest that the daemon holds the two calls that may wait, and some more, in ms. */
const setUpTime = 660_000;

export const test: Test = base.extend<AuthbridgeFixtures & Shared>({
  authbridge: [{}, { option: true }],

  _daemon: async ({}, use) => {
    await use(new Daemon(locate({ env: process.env, platform: process.platform, home: homedir() })));
  },

  _seen: async ({}, use) => {
    await use([]);
  },

  // Waiting for an authenticator is not the test's own time.
  _loan: [async ({ context, authbridge, _daemon: daemon }, use, info) => {
    const options = complete(authbridge, info.title);
    const pin = () => options.pin && pinSource(options.pin, process.env);
    pin(); // fails now if it will
    const report = new Report(info);
    const { verdict, held } = await obtain(daemon, options, report, info);
    let watch: Watch | undefined;
    let bridge: Bridge | undefined;
    try {
      const { lease } = held;
      watch = await Watch.open(daemon, lease.id, (ceremony) => report.heard(ceremony));
      const ceremonies = new Ceremonies(daemon, { lease: lease.id, fence: lease.fence }, watch, pin);
      bridge = new Bridge((caller, ask, signal) => perform(ceremonies, report, caller, ask, signal));
      await bridge.install(context);
      const journeys = new Journeys(verdict.issuer);
      journeys.follow(context);
      const { issuer } = verdict;
      const user = async () => options.user ?? (await holderOf(daemon, lease));
      const choosing = bridge;
      await use({
        authenticator: { verdict, lease, ceremonies: report.records, choose: () => choosing.choose() },
        means: { target: options.target, issuer, lease, kind: lease.kind ?? options.kind, ceremonies, report, journeys, user },
      });
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

  authenticator: async ({ _loan: { authenticator } }, use) => {
    await use(authenticator);
  },

  cis2Login: async ({ page, _loan: { means }, _seen: seen }, use, info) => {
    await use((options = {}) => base.step('cis2Login', () => beside(info, signInTime(means.target, options), async () => {
      const { done, asked } = await signIn(means, page, options);
      seen.push({ target: means.target, asked, done });
      return done;
    }), { box: true }));
  },

  verifyLogin: async ({ authbridge, _daemon: daemon, _seen: seen }, use, info) => {
    const { target, purpose } = complete(authbridge, info.title);
    await use((idToken, options = {}) => base.step('verifyLogin', () => verify(daemon, info, target, purpose, seen, idToken, options), { box: true }));
  },
});

/** Does what is not the test's own time and may take so many ms. */
async function beside<T>(info: TestInfo, most: number, what: () => Promise<T>): Promise<T> {
  const own = info.timeout;
  const began = Date.now();
  if (own > 0) info.setTimeout(own + most);
  try {
    return await what();
  } finally {
    if (own > 0) info.setTimeout(own + Date.now() - began);
  }
}

/** Whose the leased card is, where that may be known. */
async function holderOf(daemon: Daemon, { authenticator }: Lease): Promise<string | undefined> {
  if (authenticator === undefined) return undefined;
  const { user } = await daemon.ask<{ user?: string }>('GET', `/v1/authenticators/${encodeURIComponent(authenticator)}`);
  return user && /^\d{12}$/.test(user) ? user : undefined; // else it is masked
}

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
  const { result, error, ceremony } = await ceremonies.run(wish, signal, (id) => report.became(record, id));
  if (result?.credential) {
    report.over(record, {}, ceremony);
    return result.credential;
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
