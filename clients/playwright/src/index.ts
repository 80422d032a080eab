// A Playwright fixture that leases an authenticator from authbridge, answers
// navigator.credentials.create and get with it, and signs in at CIS2's mock. No
// page ever calls the daemon.

export { expect } from '@playwright/test';
export { test, type AuthbridgeFixtures, type LeasedAuthenticator } from './fixture.js';
export { LoginError, SignInError, type SignInReason, type SignInStep } from './failures.js';
export type { AuthbridgeOptions, PINOption } from './options.js';
export type { CeremonyRecord } from './report.js';
export type { SignIn, SignInOptions } from './signin.js';
export type { VerifyOptions } from './verify.js';
export type { Ceremony, Check, Lease, Login, LoginStep, Problem, Prompt, Verdict } from './wire.js';
