// A relying party made of npm express-openid-connect, with the back-channel logout
// that it brings. It says where it listens, and is told the issuer in a line of its
// standard input.

import { once } from 'node:events';
import { createInterface } from 'node:readline';
import express from 'express';
import { auth } from 'express-openid-connect';

const ended = new Map();
const store = {
  get: (key, done) => done(null, ended.get(key)),
  set: (key, value, done) => done(null, ended.set(key, value) && undefined),
  destroy: (key, done) => done(null, ended.delete(key) && undefined),
};

const app = express();
const server = app.listen(0, 'localhost');
await once(server, 'listening');
const base = `http://localhost:${server.address().port}`;
console.log(`listening on ${base}`);
const [issuer] = await once(createInterface({ input: process.stdin }), 'line');
app.use(auth({
  issuerBaseURL: issuer, baseURL: base, clientID: process.env.CLIENT_ID, clientSecret: process.env.CLIENT_SECRET, clientAuthMethod: 'client_secret_post',
  secret: crypto.randomUUID(), authRequired: false, authorizationParams: { response_type: 'code' }, backchannelLogout: { store },
}));
