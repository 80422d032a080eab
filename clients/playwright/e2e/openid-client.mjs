// A relying party made of npm openid-client: private_key_jwt, PKCE, and the ID
// token's signature checked although it comes straight from the issuer. It says
// where it listens, and is told the issuer in a line of its standard input. It
// asks for the acr, the prompt and the like of the link, and gives tests the tokens of its
// sign-ins, as an application's own hook for tests would.

import { createServer } from 'node:http';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import * as oidc from 'openid-client';

const client = process.env.CLIENT_ID;
const scope = 'openid profile nationalrbacaccess';
const kid = crypto.randomUUID();
const pair = await crypto.subtle.generateKey(
  { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-512', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) }, true, ['sign', 'verify']);
const jwks = JSON.stringify({ keys: [{ ...(await crypto.subtle.exportKey('jwk', pair.publicKey)), kid, use: 'sig' }] });

async function discover(issuer) {
  const authenticate = oidc.PrivateKeyJwt({ key: pair.privateKey, kid }, {
    // The library's own aud is the issuer, which CIS2 refuses.
    [oidc.modifyAssertion]: (_, claims) => (claims.aud = config.serverMetadata().token_endpoint),
  });
  const config = await oidc.discovery(new URL(issuer), client, undefined, authenticate, { execute: [oidc.allowInsecureRequests] });
  oidc.enableNonRepudiationChecks(config);
  return config;
}

const begun = new Map(); // by cookie
const issued = [];

async function login(config, request, answer) {
  const id = crypto.randomUUID();
  const { acr = 'AAL3_ANY', ...wanted } = Object.fromEntries(new URL(request.url, base).searchParams);
  const checks = { pkceCodeVerifier: oidc.randomPKCECodeVerifier(), expectedState: oidc.randomState(), expectedNonce: oidc.randomNonce() };
  begun.set(id, { checks, acr });
  const to = oidc.buildAuthorizationUrl(config, {
    redirect_uri: `${base}/callback`, scope, ...wanted, acr_values: acr, state: checks.expectedState, nonce: checks.expectedNonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(checks.pkceCodeVerifier), code_challenge_method: 'S256',
  });
  answer.writeHead(303, { location: to.href, 'set-cookie': `openid-client=${id}; Path=/; HttpOnly; SameSite=Lax` }).end();
}

async function callback(config, request, answer) {
  const id = /(?:^|; )openid-client=([^;]+)/.exec(request.headers.cookie ?? '')?.[1];
  const { checks, acr } = begun.get(id) ?? {};
  begun.delete(id);
  if (!checks) throw new Error('this browser has begun no such sign-in');
  const tokens = await oidc.authorizationCodeGrant(config, new URL(request.url, base), { ...checks, idTokenExpected: true });
  const Claims = tokens.claims();
  if (Claims.acr !== acr) throw new Error(`${acr} was asked for, and not given`);
  const Userinfo = await oidc.fetchUserInfo(config, tokens.access_token, Claims.sub);
  issued.push({ idToken: tokens.id_token, accessToken: tokens.access_token, userinfo: Userinfo });
  page(answer, 200, 'Signed in', JSON.stringify({ Claims, Userinfo }));
}

function page(answer, status, title, text) {
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  answer.writeHead(status, { 'content-type': 'text/html; charset=utf-8' })
    .end(`<!doctype html><html lang="en"><title>${title}</title><h1>${title}</h1><pre>${escaped}</pre><a href="/login">Sign in</a>`);
}

const json = (answer, text) => answer.writeHead(200, { 'content-type': 'application/json' }).end(text);
const server = createServer((request, answer) => {
  const step = { '/login': login, '/callback': callback }[new URL(request.url, base).pathname];
  if (request.url === '/jwks') json(answer, jwks);
  else if (request.url === '/last-login') json(answer, JSON.stringify(issued.at(-1)));
  else if (request.url === '/all-logins') json(answer, JSON.stringify(issued));
  else if (request.url.startsWith('/silence')) return; // nothing ever comes
  else if (!step) page(answer, 200, 'Nobody is signed in', '');
  else discovered.then((config) => step(config, request, answer)).catch((err) => page(answer, 403, 'Nobody is signed in', `${err} ${err.cause?.error_description ?? err.cause ?? ''}`));
});
server.listen(0, 'localhost');
await once(server, 'listening');
const base = `http://localhost:${server.address().port}`;
console.log(`listening on ${base}`);
const discovered = once(createInterface({ input: process.stdin }), 'line').then(([issuer]) => discover(issuer));
