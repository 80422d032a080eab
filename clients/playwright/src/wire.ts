// The part of the daemon's wire types that a test needs (agent/contract). What
// is not named here passes through untouched.

export type AAL = 2 | 3;
export type Kind = 'smartcard' | 'security-key';
export type Origin = 'physical' | 'virtual';

export interface Check {
  code: string;
  /** The one target that it holds for; absent: all. */
  target?: string;
  state: 'pass' | 'warn' | 'fail' | 'unknown';
  title: string;
  evidence: string;
  remedy?: string;
}

/** Answers whether a sign-in could be done now, and if not, why not. */
export interface Verdict {
  aal: AAL;
  target: string;
  kind?: string;
  user?: string;
  /** The target's, octet by octet; absent where it is not known. */
  issuer?: string;
  outcome: 'ready' | 'not_ready' | 'unproven';
  summary: string;
  authenticator?: string;
  origin?: Origin;
  checks: Check[];
  candidates: { authenticator: string; name: string; outcome: string; checks: Check[] }[];
}

/** Exclusive use of one authenticator for a limited time. */
export interface Lease {
  id: string;
  fence: number;
  state: 'queued' | 'active' | 'ending' | 'ended';
  authenticator?: string;
  name?: string;
  kind?: Kind;
  origin?: Origin;
  holder: string;
  purpose?: string;
  ends_at?: string;
  end?: string;
  position?: number;
  waiting?: string;
  remarks?: string[];
}

export interface LeaseRequest {
  aal: AAL;
  target: string;
  kind?: Kind;
  user?: string;
  origin?: Origin;
  ttl: string;
  wait?: string;
  hold: 'connection';
  purpose?: string;
}

/** Where the PIN of a ceremony comes from; absent: the daemon's configuration, else a person. */
export interface PINSource {
  /** The PIN itself. */
  value?: string;
  /** The name under which the caller keeps it; a refused one blocks that name only. */
  secret?: string;
  /** Ask a person, whatever is configured. */
  ask?: boolean;
}

export interface CeremonyRequest {
  lease: string;
  fence: number;
  type: 'create' | 'get' | 'sign';
  /** origin, top_origin and options are for create and get. */
  origin?: string;
  top_origin?: string;
  options?: unknown;
  /** Base64, for sign. */
  data?: string;
  pin?: PINSource;
  timeout?: string;
  wait: true;
}

export type CeremonyState =
  | 'queued' | 'insert' | 'pin' | 'touch' | 'running'
  | 'done' | 'failed' | 'cancelled' | 'timed_out';

/** One use of an authenticator. */
export interface Ceremony {
  id: string;
  lease: string;
  authenticator: string;
  name: string;
  authenticator_origin: Origin;
  target: string;
  type: 'create' | 'get' | 'sign';
  state: CeremonyState;
  started_at: string;
  ended_at?: string;
  deadline?: string;
  prompt?: Prompt;
  problem?: Problem;
  result?: CeremonyResult;
  steps: { state: CeremonyState; at: string }[];
}

/** What came out: of create and get the credential, of sign the rest, in base64. */
export interface CeremonyResult {
  credential?: CredentialJSON;
  signature?: string;
  /** Absent for a caller without the right identity. */
  certificate?: string;
  hash?: string;
  signed?: string;
  remarks?: string[];
}

/** What the person at the machine shall do. */
export interface Prompt {
  kind: 'insert' | 'pin' | 'touch';
  text: string;
  tries_left?: number;
  again?: boolean;
  /** Who began it: `program "node" of user 1000`. */
  asker?: string;
  /** ID of the relying party; absent for a card signature. */
  rp_id?: string;
}

/** An RFC 9457 problem with the daemon's failure code. */
export interface Problem {
  title: string;
  status: number;
  code: string;
  detail?: string;
  remedy: string;
  dom_exception?: string;
  request_id?: string;
}

/** RegistrationResponseJSON or AuthenticationResponseJSON (WebAuthn L3, 5.1). */
export interface CredentialJSON {
  id: string;
  rawId: string;
  type: string;
  authenticatorAttachment?: string;
  clientExtensionResults: Record<string, unknown>;
  response: {
    clientDataJSON: string;
    attestationObject?: string;
    authenticatorData?: string;
    transports?: string[];
    publicKey?: string;
    publicKeyAlgorithm?: number;
    signature?: string;
    userHandle?: string;
  };
}

/** What a login is judged by (mode tokens). */
export interface LoginRequest {
  target: string;
  mode: 'tokens';
  acr?: string;
  user?: string;
  purpose?: string;
  wait: true;
  tokens: {
    id_token: string;
    access_token?: string;
    userinfo?: unknown;
    client_id?: string;
    nonce?: string;
    max_age?: string;
    ceremony?: string;
  };
}

/** One thing that was judged. */
export interface LoginStep {
  name: string;
  state: 'pass' | 'fail' | 'skipped';
  expected?: string;
  got?: string;
  evidence?: string;
  code?: string;
  remedy?: string;
}

/** A login run, with what was judged and what came of it. It holds no token. */
export interface Login {
  id: string;
  state: 'queued' | 'running' | 'passed' | 'failed' | 'aborted';
  target: string;
  issuer?: string;
  client_id?: string;
  acr: string;
  aal: number;
  user?: string;
  authenticator?: string;
  name?: string;
  kind?: string;
  origin?: Origin;
  driven_by: string;
  summary?: string;
  steps: LoginStep[];
  problem?: Problem;
}

/** Whether a ceremony is in one of its last states. */
export function isOver(state: CeremonyState): boolean {
  return state === 'done' || state === 'failed' || state === 'cancelled' || state === 'timed_out';
}
