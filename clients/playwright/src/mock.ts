// The mock's sign-in page, walked as a person would. Its stages and the names of
// its form fields are those that agent/mockcis2 documents for programs.

import type { Locator, Page } from '@playwright/test';
import { cut, place, type Course } from './course.js';
import { ProblemError, type SignInError } from './failures.js';
import type { Journey, Return } from './journey.js';
import { binds, bring, challenge, NoAnswer, ProofRefused } from './proof.js';
import type { CeremonyRecord } from './report.js';

const names = { smartcard: 'a smartcard', 'security-key': 'a security key' };

export class MockPages {
  private readonly page: Page;
  private readonly main: Locator;
  private readonly origin: string;
  private tried = false;

  /** The user is whom the test names. */
  constructor(private readonly course: Course, private readonly journey: Journey, private readonly named: string | undefined) {
    this.page = journey.page;
    this.main = this.page.locator('main[data-stage]');
    this.origin = new URL(course.means.issuer!).origin;
  }

  /** Goes on until the page is back at the application. */
  async walk(): Promise<Return> {
    for (;;) {
      const at = await this.stage();
      if (typeof at !== 'string') return at;
      switch (at) {
        case 'choose': await this.choose(); break;
        case 'smartcard': await this.byCard(); break;
        case 'webauthn': await this.byKey(); break;
        case 'role': await this.role(); break;
        case 'done': return await this.back();
        case 'sorry': throw this.refused(await this.main.locator('p').first().textContent());
        default: throw this.course.fault('refused', `the sign-in page is at the stage ${cut(at)}, which is none of a sign-in by ${this.kind}`, 'begin the sign-in again at the application');
      }
    }
  }

  private get kind() {
    return this.course.means.kind;
  }

  /** Where the page stands, or how it came back. */
  private async stage(): Promise<string | Return> {
    const at = await Promise.race([this.journey.leaving, this.main.getAttribute('data-stage', { timeout: this.course.left() })]);
    // What is not the mock's own is left alone, whatever it looks like.
    if (typeof at !== 'string' || new URL(this.page.url()).origin !== this.origin) return this.back();
    return at;
  }

  private back(): Promise<Return> {
    this.course.step = 'back';
    return this.journey.back;
  }

  private async choose(): Promise<void> {
    this.course.step = 'choose';
    if (this.tried) await this.mend();
    const { means } = this.course;
    const choice = this.main.locator(`input[name=authenticator][value=${this.kind}]`);
    if ((await choice.count()) === 0) {
      const offered = await this.main.locator('label[for^=authenticator-]').allTextContents();
      throw this.course.fault('authenticator', `the application asks for ${this.asked}, for which the page offers ${offered.join(', ') || 'nothing'}, and the lease is of ${names[this.kind]}`,
        'lease what the page offers (`use.authbridge.kind`), or have the application ask for what the lease reaches');
    }
    const field = this.main.locator('input[name=user]');
    const user = this.named ?? (await means.user()) ?? (await field.inputValue({ timeout: this.course.left() }));
    if (!user) {
      throw this.course.fault('no-user', `nobody says who signs in with ${means.lease.name ?? 'the leased authenticator'}`,
        'name the user: cis2Login({ user }); whose card it is takes the right identity');
    }
    this.course.user = user;
    await field.fill(user, { timeout: this.course.left() });
    await choice.check({ timeout: this.course.left() });
    this.tried = true;
    await this.submit('choose');
  }

  /** The page has come back to its choice: what it says is the end of it, unless a key that is not registered yet may be the reason. */
  private async mend(): Promise<void> {
    const said = await this.problem(this.main);
    const refused = this.refused(said);
    if (this.kind !== 'security-key' || this.course.registered || refused.reason !== 'refused' || this.course.signed) throw refused;
    await this.register();
  }

  /** What the page says is wrong. */
  private async problem(main: Locator): Promise<string | null> {
    const alert = main.getByRole('alert');
    return (await alert.count()) > 0 ? alert.first().textContent() : null;
  }

  private refused(said: string | null): SignInError {
    const what = `the sign-in page says: ${said ? cut(said) : 'nothing'}`;
    if (/no such user/i.test(said ?? '')) return this.course.fault('unknown-user', what, 'use a user of the mock, or add one to the configuration as [[user]]');
    if (/at AAL\d at most/.test(said ?? '')) {
      return this.course.fault('user-level', `${what} The application asks for ${this.asked}.`, 'use a user who reaches that level, or expect the refusal');
    }
    return this.course.fault('refused', what, 'put right what it says: the application\'s request, the user or the authenticator');
  }

  private get asked(): string {
    return this.journey.asked.acr ?? 'no acr value, which is AAL3_ANY';
  }

  /** Presses a button of the page and returns once the next page is there. */
  private async submit(what: string): Promise<void> {
    const turned = this.turned(this.page);
    await this.main.locator(`button[name=do][value=${what}]`).click({ timeout: this.course.left() });
    await turned;
  }

  /** Resolves once another document is there, or on its way from the application. */
  private turned(page: Page): Promise<unknown> {
    const next = page.waitForEvent('framenavigated', { predicate: (frame) => frame === page.mainFrame(), timeout: this.course.left() });
    const turned = Promise.race([next, this.journey.leaving]);
    turned.catch(() => {}); // who waits for it hears
    return turned;
  }

  private async byCard(): Promise<void> {
    this.course.step = 'ceremony';
    const { means, signal } = this.course;
    const reference = ((await this.main.locator('#reference').textContent({ timeout: this.course.left() })) ?? '').trim();
    const turned = this.turned(this.page);
    const record = means.report.began({ type: 'sign', origin: this.origin });
    try {
      const data = await challenge(means.issuer!, reference);
      if (!binds(data, means.issuer!, this.journey.asked, reference)) {
        throw this.course.fault('refused', 'what the card was to sign is not this sign-in', 'begin the sign-in again at the application');
      }
      const { result, error, ceremony } = await means.ceremonies.run({ type: 'sign', data, timeout: this.course.left() }, signal, (id) => means.report.became(record, id));
      if (!result) {
        means.report.over(record, { failure: (error as Error).message, ...(error instanceof ProblemError ? { problem: error.problem } : {}) }, ceremony);
        throw this.course.ceremonyFailed(record);
      }
      means.report.over(record, {}, ceremony);
      if (result.certificate === undefined) {
        throw this.course.fault('authenticator', 'the daemon leaves out the card\'s certificate, which the mock needs', 'use a token with the right identity as well: it names the holder of the card');
      }
      this.course.signed = record;
      await bring(means.issuer!, reference, result);
    } catch (err) {
      if (err instanceof ProofRefused) throw this.refused(err.message);
      if (err instanceof NoAnswer) {
        throw this.course.fault('no-answer', `the mock does not answer at ${this.origin}: ${err.message}`,
          'look whether the daemon still runs; with mock.tls, name its authority in NODE_EXTRA_CA_CERTS, as docs/configuration.md shows');
      }
      throw err;
    }
    await turned;
  }

  private async byKey(): Promise<void> {
    this.course.step = 'ceremony';
    const turned = this.turned(this.page);
    const record = await this.use(this.main, 'get');
    if (record.exception === undefined) {
      this.course.signed = record;
      await turned;
      return;
    }
    // The user has other keys.
    if (record.problem?.code !== 'WEBAUTHN_NO_CREDENTIAL' || this.course.registered) throw this.course.ceremonyFailed(record);
    await this.register();
    this.tried = false;
    await this.submit('back');
  }

  /** Has the page's script ask the key, and returns what came of it. */
  private async use(main: Locator, type: 'create' | 'get'): Promise<CeremonyRecord> {
    const over = this.course.means.report.next((r) => r.type === type && r.origin === this.origin, this.course.signal);
    await main.locator('#use').click({ timeout: this.course.left() });
    return over;
  }

  /** Registers the leased key for the user, in a page beside. */
  private async register(): Promise<void> {
    this.course.step = 'register';
    const page = await this.page.context().newPage();
    try {
      await page.goto(`${this.origin}/register`, { timeout: this.course.left() });
      if (new URL(page.url()).origin !== this.origin) throw this.course.fault('refused', `the page for registrations leads to ${place(page.url())}`, 'look at the daemon\'s log');
      const main = page.locator('main[data-stage]');
      await main.locator('input[name=user]').fill(this.course.user!, { timeout: this.course.left() });
      await main.locator('input[name=authenticator][value=security-key]').check({ timeout: this.course.left() });
      await main.locator('button[type=submit]').click({ timeout: this.course.left() });
      const problem = main.getByRole('alert');
      await page.locator('#use').or(problem).first().waitFor({ timeout: this.course.left() });
      if ((await problem.count()) > 0) throw this.refused(await problem.textContent());
      const record = await this.use(main, 'create');
      if (record.exception !== undefined) throw this.course.ceremonyFailed(record);
      const done = page.locator('main[data-stage=registered]');
      await done.or(problem).first().waitFor({ timeout: this.course.left() });
      if ((await done.count()) === 0) throw this.refused(await problem.textContent());
      this.course.registered = true;
    } finally {
      await page.close();
    }
    this.course.step = 'choose';
  }

  /** The page has the first of the user's roles chosen. */
  private async role(): Promise<void> {
    this.course.step = 'role';
    const said = await this.problem(this.main);
    if (said) throw this.refused(said);
    await this.main.locator('input[name=role]').first().check({ timeout: this.course.left() });
    await this.submit('role');
  }
}
