// The world of a test in the browser: a played daemon and a site to visit.

import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { test as base } from '../src/index.js';
import { FakeDaemon } from './fake.js';

export { expect } from '../src/index.js';

/** Pages by path; each is served under every name of this machine, so that there are many origins. */
export interface Site {
  port: number;
  origin: string;
  pages: Map<string, { html: string; headers?: Record<string, string> }>;
}

export const test = base.extend<{ daemon: FakeDaemon; site: Site }>({
  daemon: [async ({}, use) => {
    const daemon = await new FakeDaemon().start();
    Object.assign(process.env, { AUTHBRIDGE_URL: daemon.url, AUTHBRIDGE_TOKEN: 'canary-token' });
    await use(daemon);
    await daemon.stop();
  }, { auto: true }],
  site: async ({}, use) => {
    const pages: Site['pages'] = new Map([['/', { html: '<!doctype html><link rel=icon href=data:,>' }]]);
    const server = http.createServer((request, response) => {
      const page = pages.get(new URL(request.url!, 'http://localhost').pathname);
      response.writeHead(page ? 200 : 404, { 'content-type': 'text/html', ...page?.headers }).end(page?.html);
    });
    await new Promise<void>((resolve) => server.listen(0, resolve));
    const { port } = server.address() as AddressInfo;
    await use({ port, origin: `http://localhost:${port}`, pages });
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  },
});

/** Calls for a page to make; each gives what it came to as text. */
export const helpers = `
  var octets = new Uint8Array(32);
  var told = (p) => p.then((c) => 'credential ' + c.id, (e) => e.name + ': ' + e.message);
  var create = (publicKey = {}, more = {}) => told(navigator.credentials.create({ publicKey: {
    rp: { name: 'site' }, user: { id: octets, name: 'ann', displayName: 'Ann' }, challenge: octets,
    pubKeyCredParams: [{ type: 'public-key', alg: -7 }], ...publicKey }, ...more }));
  var get = (publicKey = {}, more = {}) => told(navigator.credentials.get({ publicKey: { challenge: octets, ...publicKey }, ...more }));
`;
