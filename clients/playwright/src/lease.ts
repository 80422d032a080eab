// The lease of one test. It is held by its connection: when the worker crashes
// or is killed, the operating system closes the connection and the daemon gives
// the authenticator to the next in the queue at once.

import type { Daemon } from './daemon.js';
import { ProblemError } from './failures.js';
import type { Message } from './sse.js';
import type { Lease, LeaseRequest, Problem } from './wire.js';

/** How long a lease lasts by itself, in ms. It is renewed three times as often, for a test that a person has paused. */
const ttl = 300_000;
/** How long the daemon may take to leave an authenticator as it was found, in ms. */
const leaving = 30_000;

/** A lease in use. */
export interface Held {
  readonly lease: Lease;
  /** What the daemon said of its end, if it ended before its release. */
  readonly lost: Lease | undefined;
  /** Gives the authenticator back and returns once it is left as it was found. */
  release(): Promise<Lease | undefined>;
}

/** Takes a lease, or waits in the queue for one for at most wait ms; queued hears of each change of the place. */
export async function take(
  daemon: Daemon,
  request: Omit<LeaseRequest, 'ttl' | 'hold' | 'wait'>,
  wait: number,
  queued: (lease: Lease) => void,
): Promise<Held> {
  const connection = new AbortController();
  const stream = await daemon.stream('/v1/leases', {
    method: 'POST',
    body: { ...request, ttl: goDuration(ttl), hold: 'connection', ...(wait > 0 ? { wait: goDuration(wait) } : {}) },
    signal: connection.signal,
  });
  try {
    return new ByConnection(daemon, await taken(stream, queued), stream, connection);
  } catch (err) {
    connection.abort();
    throw err;
  }
}

/** The lease that `authbridge lease -- COMMAND` took for the whole command, which releases it too. */
export async function handedOver(daemon: Daemon, id: string): Promise<Held> {
  const lease = await daemon.ask<Lease>('GET', `/v1/leases/${encodeURIComponent(id)}`);
  return { lease, lost: undefined, release: async () => undefined };
}

async function taken(stream: AsyncGenerator<Message>, queued: (lease: Lease) => void): Promise<Lease> {
  for (;;) {
    const { value, done } = await stream.next();
    if (done) throw new Error('the daemon closed the connection before it gave a lease');
    switch (value.event) {
      case 'queued':
        queued(JSON.parse(value.data) as Lease);
        break;
      case 'taken': {
        // The lease's own token is not needed here and is kept nowhere.
        const { token: _, ...lease } = JSON.parse(value.data) as Lease & { token?: string };
        return lease;
      }
      case 'problem':
        throw new ProblemError(JSON.parse(value.data) as Problem);
    }
  }
}

class ByConnection implements Held {
  lost: Lease | undefined;
  private released = false;
  private readonly renewal: NodeJS.Timeout;

  constructor(
    private readonly daemon: Daemon,
    readonly lease: Lease,
    stream: AsyncGenerator<Message>,
    private readonly connection: AbortController,
  ) {
    this.renewal = setInterval(() => void this.renew(), ttl / 3);
    this.renewal.unref();
    void this.watch(stream);
  }

  async release(): Promise<Lease | undefined> {
    this.released = true;
    clearInterval(this.renewal);
    try {
      return this.lost ?? (await this.daemon.ask<Lease>('DELETE', this.path, { held: leaving }));
    } finally {
      this.connection.abort();
    }
  }

  private get path(): string {
    return `/v1/leases/${encodeURIComponent(this.lease.id)}`;
  }

  private async renew(): Promise<void> {
    // That it could not be renewed shows when it ends.
    await this.daemon.ask('PATCH', this.path, { body: {} }).catch(() => undefined);
  }

  private async watch(stream: AsyncGenerator<Message>): Promise<void> {
    let end: Lease = { ...this.lease, state: 'ended', end: 'connection' };
    try {
      for await (const message of stream) {
        if (message.event === 'ended') end = JSON.parse(message.data) as Lease;
      }
    } catch {
      // The connection broke, which is an end as well.
    }
    clearInterval(this.renewal);
    if (!this.released) this.lost = end;
  }
}

/** Milliseconds as Go writes a duration. */
export function goDuration(ms: number): string {
  return `${Math.round(ms)}ms`;
}
