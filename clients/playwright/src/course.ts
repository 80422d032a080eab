// One sign-in under way: how far it has come, what it has to do with, and what
// ends it before its end.

import type { Ceremonies } from './ceremonies.js';
import { SignInError, type SignInStep } from './failures.js';
import type { Journeys } from './journey.js';
import type { CeremonyRecord, Report } from './report.js';
import type { Kind, Lease } from './wire.js';

/** What a sign-in has to do with: the lease, and what uses it. */
export interface Means {
  target: string;
  /** Absent where it is not known where the target is. */
  issuer: string | undefined;
  lease: Lease;
  kind: Kind;
  ceremonies: Ceremonies;
  report: Report;
  journeys: Journeys;
  /** Whom the options name, or the card. */
  user(): Promise<string | undefined>;
}

export class Course {
  step: SignInStep = 'arrive';
  user: string | undefined;
  /** Whether the key was registered on the way. */
  registered = false;
  /** The use of the authenticator that signed in. */
  signed: CeremonyRecord | undefined;
  /** Fires when the time is up, and when it is over. */
  readonly signal: AbortSignal;
  private readonly ending = new AbortController();
  private readonly deadline: number;

  /** Time is in ms. */
  constructor(readonly means: Means, private readonly time: number) {
    this.signal = this.ending.signal;
    this.deadline = Date.now() + time;
  }

  /** Runs what is to be done within the time. What still goes on after that is stopped. */
  async within<T>(way: () => Promise<T>): Promise<T> {
    let late!: (why: Error) => void;
    const out = new Promise<never>((_, reject) => (late = reject));
    const timer = setTimeout(() => late(this.late()), this.time);
    try {
      return await Promise.race([way(), out]);
    } finally {
      clearTimeout(timer);
      this.ending.abort();
    }
  }

  /** What of the time is left, in ms and at least 1: Playwright takes 0 for all the time there is. */
  left(): number {
    this.signal.throwIfAborted();
    return Math.max(this.deadline - Date.now(), 1);
  }

  fault(reason: SignInError['reason'], what: string, remedy: string): SignInError {
    return new SignInError(reason, this.step, what, remedy);
  }

  ceremonyFailed({ type, failure, withdrawn }: CeremonyRecord): SignInError {
    return this.fault('ceremony', `${type} failed: ${failure ?? withdrawn ?? 'the page got no credential'}`, 'do what the sentence says, then run the test again');
  }

  /** That the time was up, with what it went for. */
  late(): SignInError {
    const asked = this.means.report.records.at(-1)?.prompts.at(-1);
    const [what, remedy] = {
      arrive: ['the page was not at the sign-in service', 'let `start` send it there'],
      choose: ['the sign-in page took no choice', 'look at the page in the trace'],
      register: ['the key was not registered for the user', 'look at the output for what the key waits for'],
      ceremony: [`the ${this.means.kind} did not sign in${asked ? ` [it had asked: ${asked}]` : ''}`, 'do what the output asks for in time, or give more: cis2Login({ timeout })'],
      role: ['the sign-in page took no role', 'look at the page in the trace'],
      back: ["the application's page did not come", 'look at what the application does at its redirect address'],
    }[this.step] as [string, string];
    return this.fault('timeout', `timed out after ${this.time / 1000} s at the step ${this.step}: ${what}`, remedy);
  }
}

/** An address without what may be secret in it. */
export function place(url: string): string {
  if (!URL.canParse(url)) return 'no address';
  const { protocol, origin, pathname } = new URL(url);
  if (/^https?:$/.test(protocol)) return origin;
  return protocol === 'about:' ? protocol + pathname : protocol;
}

/** Words of somebody else's, at a length that fits a line. */
export function cut(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}
