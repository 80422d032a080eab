// What the page is told of a failure: name and words as Chromium has them, since
// pages tell failures apart by both. What a person needs goes into the report.

import { ProblemError } from './failures.js';
import type { Problem } from './wire.js';

/** A DOMException, or TypeError, to be. */
export interface Exception {
  name: string;
  message: string;
}

export const opaqueOrigin: Exception = {
  name: 'NotAllowedError',
  message: "The current origin is an opaque origin and hence not allowed to access 'PublicKeyCredential' objects.",
};

/** What WebAuthn answers where nothing more precise is allowed to be known (L3, 14.5.1). */
export const notAllowed: Exception = {
  name: 'NotAllowedError',
  message: 'The operation either timed out or was not allowed.',
};

/** Where Chromium says more than the name. Seen in Chromium 156; e2e/ compares. */
const byCode: Record<string, string> = {
  WEBAUTHN_ORIGIN: 'This is an invalid domain.',
  WEBAUTHN_RP_ID: 'The relying party ID is not a registrable domain suffix of, nor equal to the current domain.',
};

const byName: Record<string, string> = {
  AbortError: 'The request was cancelled.',
  InvalidStateError: 'The authenticator holds one of the credentials that the relying party excludes.',
  NotAllowedError: notAllowed.message,
};

/** What a page is told of a failure of the daemon's or on the way to it. */
export function exceptionFor(err: unknown): Exception {
  return err instanceof ProblemError ? ofProblem(err.problem) : notAllowed;
}

function ofProblem(p: Problem): Exception {
  const name = p.dom_exception || 'NotAllowedError';
  return { name, message: byCode[p.code] ?? byName[name] ?? p.title };
}
