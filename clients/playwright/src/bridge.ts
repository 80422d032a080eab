// Between the pages of a context and the ceremonies: takes the WebAuthn calls of
// every frame, and takes them back when the page aborts, leaves or closes.

import type { BrowserContext, Frame, Page } from '@playwright/test';
import { notAllowed, opaqueOrigin, type Exception } from './dom.js';
import type { Abort, Answer, Ask } from './message.js';
import { callerIn, type Caller } from './origin.js';
import { inPage } from './page.js';
import type { CredentialJSON } from './wire.js';

const binding = '__authbridge';

/** Carries out one call for a page; what it throws is a Refusal. */
export type Perform = (caller: Caller, ask: Ask, signal: AbortSignal) => Promise<CredentialJSON>;

/** Why there is no credential: for the page, and for a person. */
export class Refusal extends Error {
  override name = 'Refusal';
  constructor(readonly exception: Exception, sentence: string) {
    super(sentence);
  }
}

/** The page wants no answer any more, which is no failure. */
export class Withdrawn extends Error {
  override name = 'Withdrawn';
}

interface Pending {
  frame: Frame;
  /** The id of its document, which tells it from the next one in the frame. */
  document: string;
  controller: AbortController;
  /** Resolves when the page's answer is on its way. */
  over: Promise<unknown>;
}

/** A conditional request, which waits until somebody chooses a passkey for it. */
interface Offer {
  choose(): Promise<void>;
}

export class Bridge {
  private readonly pending = new Map<string, Pending>();
  private readonly offers = new Map<string, Offer>();
  private awaited: (() => void)[] = [];
  private ended = false;

  constructor(private readonly perform: Perform) {}

  /** Reaches every page and frame of the context, those too that are loaded already. */
  async install(context: BrowserContext): Promise<void> {
    // The script looks the binding up when it starts, so that comes first.
    await context.exposeBinding(binding, async ({ frame }, message: Ask | Abort) => {
      if (message.do === 'ask') return this.take(frame, message);
      this.pending.get(message.id)?.controller.abort(new Withdrawn('the page aborted it'));
      return undefined;
    });
    await context.addInitScript(inPage, binding);
    context.on('page', this.follow);
    context.pages().forEach(this.follow);
    // A hook may have opened a page before; where the script ran it does nothing again.
    const open = context.pages().flatMap((page) => page.frames());
    await Promise.all(open.map((frame) => frame.evaluate(inPage, binding).catch(() => undefined)));
  }

  /** Chooses the passkey for the conditional request, once there is one. */
  async choose(): Promise<void> {
    while (this.offers.size === 0) await new Promise<void>((resolve) => this.awaited.push(resolve));
    await [...this.offers.values()].at(-1)!.choose();
  }

  /** Cancels what is under way and returns once it is over. */
  async end(): Promise<void> {
    this.ended = true;
    await this.cancel(() => true, new Error('the test ended first'));
  }

  private readonly follow = (page: Page): void => {
    const gone = () => void this.cancel((p) => p.frame.page() === page, new Withdrawn('the page closed'));
    page.on('close', gone);
    page.on('crash', gone);
    page.on('framedetached', (frame) => void this.cancel((p) => p.frame === frame, new Withdrawn('the frame went away')));
    page.on('framenavigated', (frame) => void this.left(frame));
  };

  private async cancel(which: (p: Pending) => boolean, why: Error): Promise<void> {
    const these = [...this.pending.values()].filter(which);
    for (const p of these) p.controller.abort(why);
    await Promise.all(these.map((p) => p.over));
  }

  /** Cancels the calls of documents that are gone. A step within a document, by fragment or history, ends none. */
  private async left(frame: Frame): Promise<void> {
    for (const p of [...this.pending.values()].filter((it) => it.frame === frame)) {
      if ((await documentIn(frame)) !== p.document) p.controller.abort(new Withdrawn('the page went elsewhere'));
    }
  }

  private async take(frame: Frame, ask: Ask): Promise<Answer> {
    const controller = new AbortController();
    const over = this.answer(frame, ask, controller.signal);
    this.pending.set(ask.id, { frame, document: ask.document, controller, over });
    try {
      return await over;
    } finally {
      this.pending.delete(ask.id);
    }
  }

  private async answer(frame: Frame, ask: Ask, signal: AbortSignal): Promise<Answer> {
    if (this.ended) return { error: notAllowed };
    const caller = await callerIn(frame);
    // The page's word that its origin is another, as in a sandbox, only takes away.
    if (!caller || caller.origin !== ask.origin) return { error: opaqueOrigin };
    // Nor does what the frame shows by now ask for what it showed then.
    if ((await documentIn(frame)) !== ask.document) return { error: notAllowed };
    if (ask.kind === 'create' && ask.mediation === 'conditional') return { error: notAllowed }; // no password was just used
    try {
      const credential = ask.mediation === 'conditional' ? await this.offer(caller, ask, signal) : await this.perform(caller, ask, signal);
      return { credential };
    } catch (err) {
      return { error: err instanceof Refusal ? err.exception : notAllowed };
    }
  }

  private offer(caller: Caller, ask: Ask, signal: AbortSignal): Promise<CredentialJSON> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const withdraw = () => {
        this.offers.delete(ask.id);
        reject(signal.reason);
      };
      signal.addEventListener('abort', withdraw, { once: true });
      const choose = async () => {
        try {
          resolve(await this.perform(caller, ask, signal));
          this.offers.delete(ask.id);
        } catch (err) {
          // A browser leaves the form as it is, unless the request itself is wrong.
          const hopeless = err instanceof Refusal && err.exception.name !== 'NotAllowedError';
          if (hopeless) {
            this.offers.delete(ask.id);
            reject(err);
          }
          throw err;
        }
      };
      this.offers.set(ask.id, { choose });
      const awaited = this.awaited;
      this.awaited = [];
      for (const go of awaited) go();
    });
  }
}

/** The id of the document that a frame shows now. */
function documentIn(frame: Frame): Promise<unknown> {
  const read = (name: string) => (window as unknown as Record<symbol, unknown>)[Symbol.for(name)];
  return frame.evaluate(read, binding).catch(() => undefined);
}
