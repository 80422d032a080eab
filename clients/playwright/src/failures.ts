// What goes wrong on the way to the daemon and in it, as a person reads it.

import type { Login, Problem, Verdict } from './wire.js';

/** The daemon refused, or a ceremony failed. */
export class ProblemError extends Error {
  override name = 'ProblemError';
  constructor(readonly problem: Problem) {
    super(sentence(problem));
  }
}

/** No daemon answers where it should be. */
export class NotReachableError extends Error {
  override name = 'NotReachableError';
  constructor(where: string, why: string) {
    super(`authbridge is not reachable at ${where}: ${why} → start it with \`authbridge run\``);
  }
}

/** Where a sign-in stood. */
export type SignInStep = 'arrive' | 'choose' | 'register' | 'ceremony' | 'role' | 'back';

/**
 * Why a sign-in did not come to its end: the page is none of the target's; the
 * application asks for another acr; nobody is named, or nobody whom the service
 * knows; the user or the leased authenticator does not reach what is asked for;
 * the service, or the ceremony, refused; the service or the application was gone; or the time was up.
 */
export type SignInReason =
  | 'not-the-sign-in-page' | 'other-acr' | 'no-user' | 'unknown-user' | 'user-level' | 'authenticator'
  | 'refused' | 'ceremony' | 'no-answer' | 'application' | 'timeout';

/** A sign-in did not come to its end. */
export class SignInError extends Error {
  override name = 'SignInError';
  constructor(readonly reason: SignInReason, readonly step: SignInStep, what: string, remedy: string) {
    super(`cis2Login: ${what} → ${remedy}`);
  }
}

/** The tokens of a login did not pass. */
export class LoginError extends Error {
  override name = 'LoginError';
  constructor(readonly run: Login, report: string | undefined) {
    super([`verifyLogin: ${run.summary ?? `the run ${run.id} is ${run.state}`}`, ...findings(run), ...(report ? [`  report: ${report}`] : [])].join('\n'));
  }
}

/** What of a run failed, a line each. */
function findings({ steps, problem }: Login): string[] {
  const failed = steps.filter((s) => s.state === 'fail');
  if (failed.length === 0 && problem) return [`  ${sentence(problem)}`];
  return failed.map((s) => {
    const code = s.code ? ` (${s.code})` : '';
    const seen = [s.expected && `expected ${s.expected}`, s.got && `got ${s.got}`, s.evidence].filter(Boolean).join(', ');
    return `  ${s.name}${code}${seen ? `: ${seen}` : ''}${s.remedy ? ` → ${s.remedy}` : ''}`;
  });
}

/** A problem in one line: what happened, its code, and what to do. */
export function sentence(p: Problem): string {
  const detail = p.detail ? `: ${p.detail}` : '';
  return `${p.title}${detail} (${p.code}) → ${p.remedy}`;
}

/** Why a verdict is not ready, with the remedies of what fails or is unknown. */
export function reasons(v: Verdict): string {
  const nearest = v.candidates.find((c) => c.authenticator === v.authenticator);
  const bad = [...v.checks, ...(nearest?.checks ?? [])].filter((c) => c.state === 'fail' || c.state === 'unknown');
  const lines = bad.map((c) => `${c.title} (${c.code})${c.evidence ? `: ${c.evidence}` : ''}${c.remedy ? ` → ${c.remedy}` : ''}`);
  return [v.summary, ...new Set(lines)].join('\n  ');
}

/** Codes that say that no authenticator is to be had now; other refusals are mistakes of the set-up. */
const unavailable = new Set(['LEASE_UNMET', 'LEASE_TAKEN', 'LEASE_TIMEOUT', 'LEASE_NOT_READY', 'SHUTTING_DOWN']);

/** Whether a failure means that there is nothing to test with, not that something is wrong. */
export function isUnavailable(err: unknown): boolean {
  return err instanceof NotReachableError || (err instanceof ProblemError && unavailable.has(err.problem.code));
}
