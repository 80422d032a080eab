// Ceremonies under one lease, one after the other: an authenticator does one at
// a time, and a page may ask again before a cancelled one is over.

import { setTimeout } from 'node:timers/promises';
import type { Daemon } from './daemon.js';
import { ProblemError } from './failures.js';
import { goDuration } from './lease.js';
import type { Watch } from './watch.js';
import type { Ceremony, CeremonyRequest, CeremonyResult, PINSource } from './wire.js';

/** What the daemon takes as the time of a ceremony, in ms. */
const least = 1_000;
const most = 600_000;
/** How long an event may take that belongs to an answer, in ms, before one goes on without it. */
const eventTime = 2_000;

export type Wish = Pick<CeremonyRequest, 'type' | 'origin' | 'top_origin' | 'options' | 'data'> & {
  /** In ms, as the page gave it. */
  timeout?: number | undefined;
};

/** How a ceremony ended: with a result or an error; the ceremony is absent where none began. */
export interface Outcome {
  result?: CeremonyResult;
  error?: unknown;
  ceremony?: Ceremony;
}

export class Ceremonies {
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly daemon: Daemon,
    private readonly common: Pick<CeremonyRequest, 'lease' | 'fence'>,
    private readonly watch: Watch,
    private readonly pin: () => PINSource | undefined,
  ) {}

  /** Carries out a ceremony and returns once it is over; begun hears its id. When the signal fires it is cancelled first. */
  run(wish: Wish, signal: AbortSignal, begun: (id: string) => void): Promise<Outcome> {
    const outcome = this.last.then(() => this.one(wish, signal, begun));
    this.last = outcome;
    return outcome;
  }

  private async one({ timeout, ...wish }: Wish, signal: AbortSignal, begun: (id: string) => void): Promise<Outcome> {
    if (signal.aborted) return { error: signal.reason };
    const body: CeremonyRequest = { ...this.common, ...wish, wait: true };
    const pin = this.pin();
    if (pin) body.pin = pin;
    if (timeout !== undefined && timeout > 0) body.timeout = goDuration(Math.min(Math.max(timeout, least), most));
    let id: string | undefined;
    const beginning = this.watch.next().then((it) => (begun(it), (id = it)));
    const call = new AbortController();
    const cancel = () => void this.cancel(beginning, call);
    signal.addEventListener('abort', cancel, { once: true });
    try {
      const ceremony = await this.daemon.ask<Ceremony>('POST', '/v1/ceremonies', { body, held: most, signal: call.signal });
      await within(this.watch.over(ceremony.id)); // so that what it asked for is told before what came of it
      if (ceremony.state === 'done' && ceremony.result) return { result: ceremony.result, ceremony };
      return { error: ceremony.problem ? new ProblemError(ceremony.problem) : new Error(`the ceremony is ${ceremony.state}`), ceremony };
    } catch (error) {
      const ceremony = id === undefined ? undefined : this.watch.latest(id);
      return { error, ...(ceremony ? { ceremony } : {}) };
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  }

  /** Cancels by DELETE, which returns once it is over and lets the call end by itself; where no event came, breaks off the call. */
  private async cancel(beginning: Promise<string>, call: AbortController): Promise<void> {
    const id = await within(beginning);
    try {
      if (id !== undefined) return await this.daemon.ask('DELETE', `/v1/ceremonies/${encodeURIComponent(id)}`, { held: 10_000 });
    } catch {
      // It is over already, or the daemon is gone.
    }
    call.abort();
  }
}

/** Waits for what an event tells, but not for ever. */
async function within<T>(told: Promise<T>): Promise<T | undefined> {
  const met = new AbortController();
  try {
    return await Promise.race([told, setTimeout(eventTime, undefined, { signal: met.signal }).catch(() => undefined)]);
  } finally {
    met.abort();
  }
}
