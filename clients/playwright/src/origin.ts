// Whose page is asking: the browser's word, by way of Playwright's frames, and
// never the page's own.

/** What is needed of a Playwright Frame. */
export interface FrameLike {
  url(): string;
  parentFrame(): FrameLike | null;
  page(): PageLike;
}

/** What is needed of a Playwright Page. */
export interface PageLike {
  opener(): Promise<PageLike | null>;
  frames(): FrameLike[];
}

/** The origin of a document, and that of the top one if any ancestor is of another origin. */
export interface Caller {
  origin: string;
  topOrigin?: string;
}

/** Who asks from a frame; undefined where an origin is opaque or cannot be known. */
export async function callerIn(frame: FrameLike): Promise<Caller | undefined> {
  const origin = await originOf(frame);
  if (origin === undefined) return undefined;
  let foreign = false;
  let top = origin;
  for (let above = frame.parentFrame(); above; above = above.parentFrame()) {
    const its = await originOf(above);
    if (its === undefined) return undefined;
    foreign ||= its !== origin;
    top = its;
  }
  return foreign ? { origin, topOrigin: top } : { origin };
}

/**
 * The origin of a frame's document. about:blank and about:srcdoc inherit it
 * (HTML, 7.1.1): from the parent, or from who opened the window. Playwright
 * names the page that opened it and not the frame, so all frames of that page
 * must be of one origin.
 */
async function originOf(frame: FrameLike): Promise<string | undefined> {
  const url = frame.url();
  if (!inherits(url)) return tuple(url);
  const parent = frame.parentFrame();
  if (parent) return originOf(parent);
  const opener = await frame.page().opener();
  if (!opener) return undefined;
  const origins = new Set(await Promise.all(opener.frames().map(originOf)));
  return origins.size === 1 ? [...origins][0] : undefined;
}

function inherits(url: string): boolean {
  return url === '' || /^about:(blank|srcdoc)([?#]|$)/.test(url);
}

/** The origin that a URL itself names, blob: among them; undefined if it is opaque. */
function tuple(url: string): string | undefined {
  if (!URL.canParse(url)) return undefined;
  const { origin } = new URL(url);
  return /^https?:/.test(origin) ? origin : undefined;
}
