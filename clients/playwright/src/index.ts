// A Playwright fixture that leases an authenticator from authbridge and answers
// navigator.credentials.create and get with it. No page ever calls the daemon.

export { expect } from '@playwright/test';
export { test, type AuthbridgeFixtures, type LeasedAuthenticator } from './fixture.js';
export type { AuthbridgeOptions, PINOption } from './options.js';
export type { CeremonyRecord } from './report.js';
export type { Ceremony, Check, Lease, Problem, Prompt, Verdict } from './wire.js';
