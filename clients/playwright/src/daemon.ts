// The daemon's API over TCP, a Unix socket or a named pipe. It is node:http and
// not fetch, which knows no sockets.

import * as http from 'node:http';
import { NotReachableError, ProblemError } from './failures.js';
import type { Place } from './locate.js';
import { messages, type Message } from './sse.js';
import type { Problem } from './wire.js';

/** How long an answer may take that needs no device, in ms. */
const answerTime = 10_000;
/** How long a stream may say nothing, in ms; the daemon's heartbeat comes every 15 s. */
const silence = 45_000;

export interface Call {
  body?: unknown;
  signal?: AbortSignal;
  /** How long the daemon may hold the call, in ms, beside what an answer takes. */
  held?: number;
}

/** Asks one daemon. A token goes to this machine's daemon or nowhere: no proxy, no redirect. */
export class Daemon {
  constructor(private readonly place: Place) {}

  /** Asks and gives the decoded answer; throws ProblemError or NotReachableError. */
  async ask<T>(method: string, path: string, call: Call = {}): Promise<T> {
    const text = await this.answer(method, path, call);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  /** Gets what is no JSON. */
  text(path: string): Promise<string> {
    return this.answer('GET', path, {});
  }

  private async answer(method: string, path: string, call: Call): Promise<string> {
    const response = await this.open(method, path, call, answerTime + (call.held ?? 0));
    return whole(response, this.place.address);
  }

  /** Opens a stream of events. It ends when the daemon ends it, by the signal, or after too long a silence. */
  async stream(path: string, call: Call & { method?: string } = {}): Promise<AsyncGenerator<Message>> {
    return messages(decoded(await this.open(call.method ?? 'GET', path, call, silence)));
  }

  private async open(method: string, path: string, call: Call, quiet: number): Promise<http.IncomingMessage> {
    const response = await this.first((socketPath) => this.send(method, path, call, quiet, socketPath));
    if (response.statusCode! >= 200 && response.statusCode! <= 299) return response;
    throw await refusal(response, this.place.address);
  }

  /** Tries the places where the socket may be, in turn. */
  private async first<T>(send: (socketPath?: string) => Promise<T>): Promise<T> {
    const sockets = this.place.sockets ?? [undefined];
    let failed: unknown;
    for (const socket of sockets) {
      try {
        return await send(socket);
      } catch (err) {
        failed ??= err;
        if (!['ENOENT', 'ECONNREFUSED'].includes((err as NodeJS.ErrnoException).code ?? '')) throw this.explained(err);
      }
    }
    throw this.explained(failed);
  }

  private explained(err: unknown): unknown {
    const { code, message } = err as NodeJS.ErrnoException;
    return code === 'ABORT_ERR' ? err : new NotReachableError(this.place.address, code ?? message);
  }

  private send(method: string, path: string, call: Call, quiet: number, socketPath?: string): Promise<http.IncomingMessage> {
    return new Promise((resolve, reject) => {
      const { host, port, token } = this.place;
      const body = call.body === undefined ? undefined : JSON.stringify(call.body);
      const request = http.request({
        ...(socketPath ? { socketPath } : { host, port }),
        method, path, agent: false, timeout: quiet,
        ...(call.signal ? { signal: call.signal } : {}),
        headers: {
          host: port === undefined ? host : `${host.includes(':') ? `[${host}]` : host}:${port}`,
          ...(method === 'GET' ? {} : { 'content-type': 'application/json' }),
          ...(token ? { authorization: `Bearer ${token}` } : {}),
          ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
        },
      }, resolve);
      request.on('timeout', () => request.destroy(new Error(`it said nothing for ${quiet / 1000} s`)));
      request.on('error', reject);
      request.end(body);
    });
  }
}

async function* decoded(response: http.IncomingMessage): AsyncGenerator<string> {
  response.setEncoding('utf8');
  yield* response as AsyncIterable<string>;
}

async function whole(response: http.IncomingMessage, address: string): Promise<string> {
  let text = '';
  try {
    for await (const chunk of decoded(response)) text += chunk;
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ABORT_ERR') throw err;
    throw new NotReachableError(address, (err as Error).message);
  }
  return text;
}

/** What is no problem of ours does not come from a daemon of ours. */
async function refusal(response: http.IncomingMessage, address: string): Promise<Error> {
  const text = await whole(response, address);
  if (response.headers['content-type']?.startsWith('application/problem+json')) {
    return new ProblemError(JSON.parse(text) as Problem);
  }
  return new Error(`what answers at ${address} is no authbridge: HTTP status ${response.statusCode}`);
}
