// The ways of a context's pages to the sign-in service and back to the
// application, as the browser's own navigations tell them. Codes go by here, and
// nothing of them is kept.

import type { BrowserContext, Frame, Page, Request } from '@playwright/test';

/** What an application asks for in its authorization request (OpenID Connect Core 1.0, 3.1.2.1). */
export interface Asked {
  clientId: string;
  redirect: string;
  acr?: string;
  nonce?: string;
}

/** How a page came back to the application: by an error of the service's, or without. */
export interface Return {
  error?: string;
  description?: string;
  /** Why the application's own page did not come. */
  failed?: string;
}

/** One way of a page to the sign-in service. */
export interface Journey {
  readonly page: Page;
  readonly asked: Asked;
  /** Whether the service has shown a page. */
  shown: boolean;
  /** Resolves once the page is on its way back to the application. */
  readonly leaving: Promise<void>;
  /** Resolves once it is there. */
  readonly back: Promise<Return>;
}

interface Open extends Journey {
  leave(): void;
  arrive(how: Return): void;
  /** It is leaving, and the next document is the application's. */
  returning?: Return;
}

/** The authorization request that a navigation is, if it goes to this issuer's endpoint. */
export function authorization(issuer: string, url: string, form: string | null): Asked | undefined {
  // The browser leaves out a usual port, which the issuer has.
  const endpoint = new URL(`${issuer}/authorize`);
  const at = new URL(url);
  if (at.origin !== endpoint.origin || at.pathname !== endpoint.pathname) return undefined;
  const given = form ? new URLSearchParams(form) : at.searchParams;
  const acr = given.get('acr_values');
  const nonce = given.get('nonce');
  return { clientId: given.get('client_id') ?? '', redirect: given.get('redirect_uri') ?? '', ...(acr ? { acr } : {}), ...(nonce ? { nonce } : {}) };
}

/** What a navigation to the redirect address brings; undefined if it goes elsewhere. */
export function returned(redirect: string, url: string): Return | undefined {
  if (!URL.canParse(redirect)) return undefined;
  const [to, at] = [new URL(redirect), new URL(url)];
  if (at.origin !== to.origin || at.pathname !== to.pathname) return undefined;
  const error = at.searchParams.get('error');
  const description = at.searchParams.get('error_description');
  return error ? { error, ...(description ? { description } : {}) } : {};
}

export class Journeys {
  private readonly open = new Map<Page, Open>();
  private readonly untold: Journey[] = [];
  private waiting: ((journey: Journey) => void) | undefined;

  /** Without an issuer there is nowhere to go. */
  constructor(private readonly issuer: string | undefined) {}

  follow(context: BrowserContext): void {
    if (this.issuer === undefined) return;
    context.on('request', (request) => this.saw(request));
    context.on('requestfailed', (request) => this.failed(request));
    context.on('page', this.attend);
    context.pages().forEach(this.attend);
  }

  /** The newest journey that nobody was told of, or the next; undefined if the signal fires first. */
  next(signal: AbortSignal): Promise<Journey | undefined> {
    const newest = this.untold.splice(0).at(-1);
    if (newest) return Promise.resolve(newest);
    return new Promise((resolve) => {
      const over = (journey?: Journey) => {
        this.waiting = undefined;
        resolve(journey);
      };
      this.waiting = over;
      signal.addEventListener('abort', () => over(), { once: true });
    });
  }

  private readonly attend = (page: Page): void => {
    page.on('framenavigated', (frame) => this.settled(page, frame));
    // One that a window began with is seen when it has come.
    this.depart(page, page.url(), null);
  };

  private saw(request: Request): void {
    const page = topPageOf(request);
    if (!page || this.depart(page, request.url(), request.postData())) return;
    const journey = this.open.get(page);
    const how = journey && returned(journey.asked.redirect, request.url());
    if (!how) return;
    journey.returning = how;
    journey.leave();
  }

  private failed(request: Request): void {
    const page = topPageOf(request);
    const journey = page && this.open.get(page);
    // The browser's own page about it is on its way.
    if (journey?.returning) journey.returning.failed = request.failure()?.errorText ?? 'no answer';
  }

  private settled(page: Page, frame: Frame): void {
    if (frame !== page.mainFrame()) return;
    const journey = this.open.get(page);
    if (journey?.returning) {
      this.open.delete(page);
      journey.arrive(journey.returning);
    } else if (journey) journey.shown ||= URL.canParse(frame.url()) && new URL(frame.url()).origin === new URL(this.issuer!).origin;
    else if (this.depart(page, frame.url(), null)) this.open.get(page)!.shown = true;
  }

  private depart(page: Page, url: string, form: string | null): boolean {
    const asked = URL.canParse(url) ? authorization(this.issuer!, url, form) : undefined;
    if (!asked) return false;
    // CIS2 sends a page that has signed in through its endpoint once more.
    if (JSON.stringify(this.open.get(page)?.asked) === JSON.stringify(asked)) return true;
    let leave!: () => void;
    let arrive!: (how: Return) => void;
    const leaving = new Promise<void>((resolve) => (leave = resolve));
    const back = new Promise<Return>((resolve) => (arrive = resolve));
    const journey: Open = { page, asked, shown: false, leaving, back, leave, arrive };
    this.open.set(page, journey);
    if (this.waiting) this.waiting(journey);
    else this.untold.push(journey);
    return true;
  }
}

/** The page whose whole document a request is for. */
function topPageOf(request: Request): Page | undefined {
  if (!request.isNavigationRequest()) return undefined;
  try {
    const frame = request.frame();
    return frame.parentFrame() ? undefined : frame.page();
  } catch {
    return undefined; // the window that it opens is not there yet
  }
}
