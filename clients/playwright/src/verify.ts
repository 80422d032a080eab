// The tokens that the application under test obtained, judged by the daemon. They
// go to it and nowhere else: into no message, step or attachment.

import { rmSync, writeFileSync } from 'node:fs';
import type { TestInfo } from '@playwright/test';
import type { Daemon } from './daemon.js';
import { LoginError } from './failures.js';
import type { Asked } from './journey.js';
import type { SignIn } from './signin.js';
import type { Login, LoginRequest } from './wire.js';

/** What the tokens are judged by, and what is judged beside the ID token. What cis2Login has seen in the same test need not be said. */
export interface VerifyOptions {
  /** The answer of the userinfo endpoint: an object, or the text of a signed one. */
  userinfo?: object | string | undefined;
  /** For at_hash; without userinfo it also fetches that. */
  accessToken?: string | undefined;
  clientId?: string | undefined;
  nonce?: string | undefined;
  /** How old the sign-in may be, in seconds as the request's max_age; absent: 300. */
  maxAge?: number | undefined;
  /** What was asked for; absent: AAL3_ANY where cis2Login has seen nothing else. */
  acr?: string | undefined;
  /** Who must have signed in, 12-digit UUID. */
  user?: string | undefined;
  /** Absent: that of the options. */
  target?: string | undefined;
}

/** A sign-in of this test. */
export interface Seen {
  target: string;
  asked: Asked;
  done: SignIn;
}

/** How long the daemon may take for it, in ms. */
const judging = 120_000;

/** Has the tokens judged, and attaches the reports; throws LoginError where they do not pass. */
export async function verify(daemon: Daemon, info: TestInfo, usual: string, purpose: string, seen: readonly Seen[], idToken: string, o: VerifyOptions): Promise<Login> {
  const body = request(usual, purpose, seen, idToken, o);
  const run = await daemon.ask<Login>('POST', '/v1/logins', { body, held: judging });
  const path = `/v1/logins/${encodeURIComponent(run.id)}/report?format=`;
  const report = await attach(info, `${run.id}.html`, 'text/html', await daemon.text(`${path}html`));
  await attach(info, `${run.id}.xml`, 'application/xml', await daemon.text(`${path}junit`));
  if (run.state !== 'passed') throw new LoginError(run, report);
  return run;
}

/** The run to ask for: what the test says goes before what cis2Login has seen. */
export function request(usual: string, purpose: string, all: readonly Seen[], idToken: string, o: VerifyOptions): LoginRequest {
  const target = o.target ?? usual;
  const seen = all.filter((it) => it.target === target);
  const last = seen.at(-1);
  // A session goes back to the last ceremony before it.
  const signed = seen.filter((it) => it.done.ceremony !== undefined).at(-1);
  return {
    target, mode: 'tokens', wait: true, purpose,
    ...given({ acr: o.acr ?? last?.asked.acr, user: o.user ?? signed?.done.user }),
    tokens: {
      id_token: idToken,
      ...given({
        access_token: o.accessToken, userinfo: o.userinfo, client_id: o.clientId ?? last?.asked.clientId, nonce: o.nonce ?? last?.asked.nonce,
        max_age: o.maxAge === undefined ? undefined : `${o.maxAge}s`, ceremony: signed?.done.ceremony,
      }),
    },
  };
}

/** What is there of an object. */
function given<T extends object>(o: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(o).filter(([, value]) => value !== undefined)) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

/** Attaches a file, and gives the path at which it stays. */
async function attach(info: TestInfo, name: string, contentType: string, text: string): Promise<string | undefined> {
  const path = info.outputPath(name);
  writeFileSync(path, text);
  await info.attach(name, { path, contentType });
  rmSync(path); // Playwright has made its own copy
  return info.attachments.at(-1)?.path;
}
