import type { AAL, Kind, Origin, PINSource } from './wire.js';

/**
 * Where the PIN comes from: the environment variable of that name, or a person.
 * It is not the PIN itself, because Playwright writes options into its reports.
 */
export type PINOption = { env: string } | { ask: true };

/** What a test needs; set in the configuration's `use`, or by `test.use`. */
export interface AuthbridgeOptions {
  /** Authenticator assurance level; absent: 3. */
  aal?: AAL;
  /** What the login is aimed at: mock, int, dep, or one from the daemon's configuration; absent: mock. */
  target?: string;
  /** Absent: security-key, which is what WebAuthn needs. */
  kind?: Kind;
  /** 12-digit UUID. */
  user?: string;
  /** Absent: virtual for the mock, physical for every other target. */
  origin?: Origin;
  /** How long to wait until an authenticator is ready, and in the queue for it, in ms each; absent: 30,000. */
  wait?: number;
  /** What for, as prompts and the queue show it to people; absent: the test's title. */
  purpose?: string;
  /** What becomes of a test for which no authenticator is to be had; absent: skip. */
  onUnavailable?: 'skip' | 'fail';
  /** Where the PIN comes from; absent: the daemon's configuration, else a person. */
  pin?: PINOption;
}

/** The options with what is meant where they say nothing. */
export function complete(o: AuthbridgeOptions, title: string) {
  return {
    ...o,
    aal: o.aal ?? 3,
    target: o.target ?? 'mock',
    kind: o.kind ?? ('security-key' as const),
    wait: Math.min(Math.max(o.wait ?? 30_000, 0), 300_000),
    purpose: purpose(o.purpose ?? title),
    onUnavailable: o.onUnavailable ?? ('skip' as const),
  };
}

/** The PIN for a request; it is read anew for each and kept nowhere. */
export function pinSource(o: PINOption, env: Record<string, string | undefined>): PINSource {
  if ('ask' in o) return { ask: true };
  const value = env[o.env];
  if (!value) throw new Error(`authbridge.pin: the environment variable ${o.env} is not set`);
  return { value, secret: o.env };
}

/** The daemon shows 64 plain characters and no others. */
function purpose(text: string): string {
  return text.replace(/[^A-Za-z0-9 ._:/#-]/g, ' ').replace(/ +/g, ' ').trim().slice(0, 64);
}
