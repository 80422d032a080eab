// The daemon's events, as far as they are of one lease: what its ceremonies ask
// of a person, and by when.

import type { Daemon } from './daemon.js';
import type { Message } from './sse.js';
import { isOver, type Ceremony } from './wire.js';

/** Follows the ceremonies of a lease until it is closed or the stream ends. */
export class Watch {
  private readonly known = new Map<string, Ceremony>();
  private readonly closing = new AbortController();
  private waiting: ((id: string) => void)[] = [];
  private readonly endings = new Map<string, () => void>();

  private constructor(private readonly lease: string, private readonly tell: (ceremony: Ceremony) => void) {}

  /** Opens the stream and returns once it is there, so that no ceremony begins unseen. */
  static async open(daemon: Daemon, lease: string, tell: (ceremony: Ceremony) => void): Promise<Watch> {
    const watch = new Watch(lease, tell);
    const stream = await daemon.stream('/v1/events', { signal: watch.closing.signal });
    await stream.next(); // the snapshot
    void watch.follow(stream);
    return watch;
  }

  /** What was last told of a ceremony. */
  latest(id: string): Ceremony | undefined {
    return this.known.get(id);
  }

  /** The id of the next ceremony that begins; ask before it is posted. */
  next(): Promise<string> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Resolves once the end of a ceremony was told, and with it all before. */
  over(id: string): Promise<void> {
    return new Promise((resolve) => {
      if (isOver(this.known.get(id)?.state ?? 'queued')) resolve();
      else this.endings.set(id, resolve);
    });
  }

  close(): void {
    this.closing.abort();
  }

  private async follow(stream: AsyncGenerator<Message>): Promise<void> {
    try {
      for await (const message of stream) {
        if (message.event === 'ceremony.changed') this.heard((JSON.parse(message.data) as { ceremony?: Ceremony }).ceremony);
      }
    } catch {
      // Without the stream there are no prompts, and the lease's own connection tells that the daemon is gone.
    }
  }

  private heard(ceremony: Ceremony | undefined): void {
    if (ceremony?.lease !== this.lease) return;
    const isNew = !this.known.has(ceremony.id);
    this.known.set(ceremony.id, ceremony);
    if (isNew) {
      const waiting = this.waiting;
      this.waiting = [];
      for (const resolve of waiting) resolve(ceremony.id);
    }
    this.tell(ceremony);
    if (isOver(ceremony.state)) this.endings.get(ceremony.id)?.();
  }
}
