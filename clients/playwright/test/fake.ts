// A daemon that is played: it speaks the wire types and does as it is told.

import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { isOver, type Ceremony, type CeremonyRequest, type CeremonyState, type CredentialJSON, type Lease, type Problem, type Prompt, type Verdict } from '../src/wire.js';

/** What a ceremony does once it has begun; it returns a credential, throws a Problem, or waits until it is cancelled. */
export type Script = (request: CeremonyRequest, step: (state: CeremonyState, prompt?: Prompt) => void) => Promise<CredentialJSON>;

interface Running {
  ceremony: Ceremony;
  over: Promise<void>;
  end(state: CeremonyState, how: { problem?: Problem; credential?: CredentialJSON }): void;
}

export const forever: Script = () => new Promise(() => {});

export function problem(code: string, more: Partial<Problem> = {}): Problem {
  return { title: `title of ${code}`, status: 409, code, remedy: `Remedy of ${code}.`, ...more };
}

export const ready: Verdict = { aal: 3, target: 'mock', outcome: 'ready', summary: 'AAL3 at mock: ready.', checks: [], candidates: [] };

const b64 = (text: string) => Buffer.from(text).toString('base64url');

/** Credentials of the right form; nobody verifies them here. */
export const credentials: Script = async ({ type, options }) => ({
  id: b64('id'), rawId: b64('id'), type: 'public-key', authenticatorAttachment: 'cross-platform',
  clientExtensionResults: { credProps: { rk: false } },
  response: {
    clientDataJSON: b64(JSON.stringify({ challenge: (options as { challenge: string }).challenge })),
    authenticatorData: b64('data'),
    ...(type === 'create'
      ? { attestationObject: b64('object'), transports: ['usb'], publicKey: b64('key'), publicKeyAlgorithm: -7 }
      : { signature: b64('signature') }),
  },
});

export class FakeDaemon {
  verdict: Verdict = ready;
  refusal: Problem | undefined;
  /** Sent in the stream before the lease. */
  queue: Partial<Lease>[] = [];
  script: Script = credentials;
  readonly leases: Lease[] = [];
  readonly ceremonies: Ceremony[] = [];
  readonly requests: CeremonyRequest[] = [];
  readonly asked: string[] = [];
  url = '';

  private readonly running = new Map<string, Running>();
  private readonly streams = new Set<http.ServerResponse>();
  private readonly holding = new Map<string, http.ServerResponse>();
  private ends: (() => void)[] = [];
  private readonly server = http.createServer((request, response) => void this.serve(request, response));

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    return this;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** Resolves when a lease has ended since it was called. */
  leaseEnd(): Promise<void> {
    return new Promise((resolve) => this.ends.push(resolve));
  }

  /** Ends a lease as a take-over does. */
  takeOver(): void {
    const lease = this.leases.at(-1)!;
    const held = this.holding.get(lease.id);
    this.endLease(lease, 'takeover');
    if (held) event(held, 'ended', lease);
    held?.end();
  }

  private async serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const path = new URL(request.url!, this.url).pathname;
    this.asked.push(`${request.method} ${request.url}`);
    if (request.headers.authorization !== 'Bearer canary-token') return refuse(response, problem('UNAUTHORIZED', { status: 401 }));
    if (request.method !== 'GET' && request.headers['content-type'] !== 'application/json') return refuse(response, problem('UNSUPPORTED_MEDIA_TYPE', { status: 415 }));
    let text = '';
    for await (const chunk of request) text += chunk;
    const id = path.split('/')[3] ?? '';
    switch (`${request.method} ${path.split('/').slice(0, 3).join('/')}`) {
      case 'GET /v1/readiness': return json(response, 200, this.verdict);
      case 'GET /v1/events': return this.events(response);
      case 'GET /v1/leases': return json(response, 200, this.leases.find((l) => l.id === id));
      case 'POST /v1/leases': return this.lease(response, JSON.parse(text));
      case 'PATCH /v1/leases': return json(response, 200, this.leases.find((l) => l.id === id));
      case 'DELETE /v1/leases': {
        const lease = this.leases.find((l) => l.id === id)!;
        this.endLease(lease, 'released');
        return json(response, 200, lease);
      }
      case 'POST /v1/ceremonies': return this.ceremony(response, JSON.parse(text));
      case 'DELETE /v1/ceremonies': {
        const running = this.running.get(id)!;
        running.end('cancelled', { problem: problem('CEREMONY_CANCELLED', { dom_exception: 'AbortError' }) });
        return json(response, 200, running.ceremony);
      }
    }
    return refuse(response, problem('NOT_FOUND', { status: 404 }));
  }

  private events(response: http.ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('retry: 1000\n\n');
    event(response, 'snapshot', { leases: this.leases });
    this.streams.add(response);
    response.on('close', () => this.streams.delete(response));
  }

  private lease(response: http.ServerResponse, body: { purpose?: string }): void {
    if (this.refusal) return refuse(response, this.refusal);
    const fence = this.leases.length + 1;
    const lease: Lease = { id: `lease-${fence}`, fence, state: 'active', authenticator: 'a1', name: 'key blue', kind: 'security-key', origin: this.verdict.target === 'mock' ? 'virtual' : 'physical', holder: 'token test', ...(body.purpose ? { purpose: body.purpose } : {}) };
    this.leases.push(lease);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const place of this.queue) event(response, 'queued', { ...lease, state: 'queued', ...place });
    event(response, 'taken', { ...lease, token: 'canary-lease-token' });
    this.holding.set(lease.id, response);
    response.on('close', () => this.endLease(lease, 'connection'));
  }

  private endLease(lease: Lease, why: string): void {
    if (lease.state === 'ended') return;
    lease.state = 'ended';
    lease.end = why;
    for (const running of this.running.values()) running.end('cancelled', { problem: problem('LEASE_OVER') });
    const ends = this.ends;
    this.ends = [];
    for (const tell of ends) tell();
  }

  private async ceremony(response: http.ServerResponse, body: CeremonyRequest): Promise<void> {
    this.requests.push(body);
    const busy = [...this.running.values()].some((r) => !isOver(r.ceremony.state));
    if (busy) return refuse(response, problem('CEREMONY_BUSY'));
    const now = new Date().toISOString();
    const ceremony: Ceremony = {
      id: `ceremony-${this.ceremonies.length + 1}`, lease: body.lease, authenticator: 'a1', name: 'key blue', authenticator_origin: 'virtual',
      target: 'mock', type: body.type, state: 'queued', started_at: now, steps: [{ state: 'queued', at: now }],
    };
    this.ceremonies.push(ceremony);
    const tell = () => this.streams.forEach((s) => event(s, 'ceremony.changed', { type: 'ceremony.changed', ceremony }));
    let ended = () => {};
    const over = new Promise<void>((resolve) => (ended = resolve));
    const end: Running['end'] = (state, { problem: why, credential }) => {
      if (isOver(ceremony.state)) return;
      ceremony.state = state;
      delete ceremony.prompt;
      if (why) ceremony.problem = why;
      tell();
      if (credential) ceremony.result = { credential };
      ended();
    };
    this.running.set(ceremony.id, { ceremony, over, end });
    tell();
    response.on('close', () => end('cancelled', { problem: problem('CEREMONY_CANCELLED') }));
    const step = (state: CeremonyState, prompt?: Prompt) => {
      if (isOver(ceremony.state)) return;
      Object.assign(ceremony, { state, prompt, deadline: new Date(Date.now() + 20_000).toISOString() });
      tell();
    };
    this.script(body, step).then(
      (credential) => end('done', { credential }),
      (why: Problem) => end('failed', { problem: why }),
    );
    await over;
    json(response, 200, ceremony);
  }
}

function event(response: http.ServerResponse, name: string, data: unknown): void {
  response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
}

function json(response: http.ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

function refuse(response: http.ServerResponse, why: Problem): void {
  response.writeHead(why.status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(why));
}
