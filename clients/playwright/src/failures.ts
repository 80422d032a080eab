// What goes wrong on the way to the daemon and in it, as a person reads it.

import type { Problem, Verdict } from './wire.js';

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
