// A sign-in in the application's own flow: from where the application has sent
// its page to the sign-in service until the page is back.

import { errors, type Page } from '@playwright/test';
import { Course, cut, place, type Means } from './course.js';
import type { Asked, Journey, Return } from './journey.js';
import { MockPages } from './mock.js';
import type { Kind, Origin } from './wire.js';

export interface SignInOptions {
  /** The acr values that the application must ask for, as it writes them; absent: whatever it asks for. */
  acr?: string | undefined;
  /** 12-digit UUID; absent: that of the options, else the card's own, else the one that the page has filled in. */
  user?: string | undefined;
  /** What sends the page to the sign-in service: an address to go to, or what to do; absent: it was done. */
  start?: string | ((page: Page) => Promise<unknown>) | undefined;
  /** In ms, which are added to the test's own time; absent: 30,000 at the mock, 180,000 where a person signs in. */
  timeout?: number | undefined;
}

/** What was done. It holds no code and no token. */
export interface SignIn {
  /** Whether a session answered, so that nobody signed in. */
  sso: boolean;
  /** As the application asked for it. */
  acr?: string;
  /** Who signed in, as far as it is known here. */
  user?: string;
  /** With what; absent where nobody signed in. */
  authenticator?: { id: string; name: string; kind: Kind; origin: Origin };
  /** The id of the ceremony that signed in. */
  ceremony?: string;
  /** Whether the key was registered for the user on the way. */
  registered: boolean;
}

/** How long the page may take to get to the sign-in service, in ms. */
const arrivalTime = 5_000;

/** How long a sign-in may take, in ms. */
export function signInTime(target: string, o: SignInOptions): number {
  return o.timeout ?? (target === 'mock' ? 30_000 : 180_000);
}

/** Signs in, and returns once the application's page has loaded. Also tells what the application had asked for. */
export async function signIn(means: Means, page: Page, o: SignInOptions): Promise<{ done: SignIn; asked: Asked }> {
  const course = new Course(means, signInTime(means.target, o));
  try {
    return await course.within(() => run(course, page, o));
  } catch (err) {
    throw err instanceof errors.TimeoutError ? course.late() : quiet(err);
  }
}

/** Playwright's log of a call names addresses, those with codes too. */
function quiet(err: unknown): unknown {
  if (!(err instanceof Error) || !/\nCall log:/.test(err.message)) return err;
  return new Error(`cis2Login: ${err.message.split('\n')[0]}`);
}

async function run(course: Course, page: Page, o: SignInOptions): Promise<{ done: SignIn; asked: Asked }> {
  course.user = o.user;
  const journey = await arrive(course, page, o);
  const { asked } = journey;
  if (o.acr !== undefined && o.acr !== asked.acr) {
    throw course.fault('other-acr', `the application asks for ${asked.acr ?? 'no acr value'}, and the test is about ${o.acr}`,
      `have it send acr_values=${o.acr}, or change the test`);
  }
  const atMock = course.means.target === 'mock';
  const how = atMock ? await new MockPages(course, journey, o.user).walk() : await attend(course, journey);
  if (how.failed !== undefined) {
    throw course.fault('application', `the application's redirect address did not answer: ${how.failed}`, 'look whether the application still runs');
  }
  if (how.error !== undefined) {
    throw course.fault('refused', `the sign-in service sent the page back with ${cut(how.error)}${how.description ? `: ${cut(how.description)}` : ''}`,
      'put right what the application asks for, or for whom');
  }
  await journey.page.waitForLoadState('load', { timeout: course.left() });
  return { asked, done: whatWasDone(course, asked, !course.signed && (atMock || !journey.shown)) };
}

async function arrive(course: Course, page: Page, { start }: SignInOptions): Promise<Journey> {
  const { issuer, target, journeys } = course.means;
  if (issuer === undefined) {
    throw course.fault('not-the-sign-in-page', `the daemon does not know where ${target} is`,
      target === 'mock' ? 'switch its mock on (mock.listen), as docs/configuration.md shows' : 'aim the test at a target whose address is known');
  }
  if (typeof start === 'string') await page.goto(start);
  else await start?.(page);
  const journey = await journeys.next(AbortSignal.any([course.signal, AbortSignal.timeout(Math.min(arrivalTime, course.left()))]));
  if (journey) return journey;
  throw course.fault('not-the-sign-in-page', `the page is at ${place(page.url())}, and was not sent to the sign-in page of ${target} at ${place(issuer)}`,
    'have the application send it there first (`start` can do it), and configure the application with the issuer that `authbridge status` shows');
}

/** Leaves the page to who sits there: the leased key answers what it asks for. Nothing is clicked. */
async function attend(course: Course, journey: Journey): Promise<Return> {
  course.step = 'ceremony';
  const { report, lease, target } = course.means;
  report.say(`sign in at ${target} with ${lease.name ?? 'the leased key'}: the page is yours, the key answers what it asks for`);
  const failed = report.next((r) => r.failure !== undefined, course.signal);
  void report.next((r) => r.type === 'get' && r.exception === undefined, course.signal).then((r) => (course.signed = r));
  const how = await Promise.race([journey.leaving, failed]);
  if (how) throw course.ceremonyFailed(how);
  course.step = 'back';
  return journey.back;
}

function whatWasDone({ means: { lease, kind }, signed, user, registered }: Course, { acr }: Asked, sso: boolean): SignIn {
  const ceremony = signed?.ceremony?.id;
  return {
    sso, registered,
    ...(acr === undefined ? {} : { acr }),
    ...(user === undefined || sso ? {} : { user }),
    ...(signed ? { authenticator: { id: lease.authenticator ?? '', name: lease.name ?? '', kind, origin: lease.origin ?? 'virtual' } } : {}),
    ...(ceremony === undefined ? {} : { ceremony }),
  };
}
