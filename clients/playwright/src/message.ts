// What the page and the bridge say to each other through the binding. It is all
// JSON: a Playwright binding carries no octets.

import type { CredentialJSON } from './wire.js';

/** A WebAuthn call of a page. */
export interface Ask {
  do: 'ask';
  id: string;
  kind: 'create' | 'get';
  mediation: string | undefined;
  /** The id that its document has made up. */
  document: string;
  /** The page's own word, which can only make the call fail. */
  origin: string;
  /** PublicKeyCredentialCreationOptionsJSON or PublicKeyCredentialRequestOptionsJSON. */
  options: { timeout?: number; rp?: { id?: string }; rpId?: string };
}

/** The page's AbortSignal fired. */
export interface Abort {
  do: 'abort';
  id: string;
}

/** What a call comes to. */
export type Answer = { credential: CredentialJSON } | { error: { name: string; message: string } };
