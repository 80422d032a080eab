// The proof by which a smartcard signs in at the mock: a signature on what the
// page's reference stands for (agent/mockcis2). No page can ask for it.

import type { Asked } from './journey.js';
import type { CeremonyResult } from './wire.js';

/** The first octets of a challenge. */
const label = 'authbridge proof v1';
/** How long the mock may take, in ms. */
const answerTime = 10_000;

/** What the mock said of a proof that it refused. */
export class ProofRefused extends Error {
  override name = 'ProofRefused';
}

/** The mock could not be asked. */
export class NoAnswer extends Error {
  override name = 'NoAnswer';
}

/** What is to be signed for a reference, in base64; throws ProofRefused or NoAnswer. */
export async function challenge(issuer: string, reference: string): Promise<string> {
  const { data } = await exchange<{ data?: string }>(`${new URL(issuer).origin}/proof/${encodeURIComponent(reference)}`);
  return data ?? '';
}

/** Brings the card's signature; throws ProofRefused or NoAnswer. */
export async function bring(issuer: string, reference: string, { certificate, signature, hash, signed }: CeremonyResult): Promise<void> {
  await exchange(`${new URL(issuer).origin}/proof`, { reference, certificate, signature, hash, signed });
}

/** Whether a challenge is for this issuer, client, nonce and reference, and has a time and nothing besides. */
export function binds(data: string, issuer: string, { clientId, nonce }: Asked, reference: string): boolean {
  const want = [label, issuer, clientId, nonce ?? '', reference, ''].join('\0');
  const text = Buffer.from(data, 'base64').toString('latin1');
  const begins = Buffer.from(want).toString('latin1');
  return text.startsWith(begins) && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text.slice(begins.length));
}

async function exchange<T>(url: string, body?: object): Promise<T> {
  const response = await fetch(url, {
    redirect: 'error', signal: AbortSignal.timeout(answerTime),
    ...(body ? { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) } : {}),
  }).catch((err: Error & { cause?: { code?: string } }) => {
    throw new NoAnswer(err.cause?.code ?? err.name);
  });
  const answer = (await response.json().catch(() => ({}))) as T & { error_description?: string };
  if (response.ok) return answer;
  throw new ProofRefused(answer.error_description ?? `HTTP status ${response.status}`);
}
