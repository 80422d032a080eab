// What a page sees, in a real browser.

import type { Page } from '@playwright/test';
import { credentials, forever, problem } from './fake.js';
import { expect, helpers, test, type Site } from './world.js';

/** Opens a page of the site and gives it the helpers. */
async function visit(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.evaluate(helpers);
}

const run = (page: Page, code: string) => page.evaluate(code) as Promise<string>;

test('what it gets is a credential in every respect', async ({ page, site, authenticator, daemon }) => {
  await visit(page, site.origin);
  const got = await page.evaluate(async () => {
    const octets = Uint8Array.from([9, 250, 251, 252, 9]).subarray(1, 4); // its offset counts
    const user = { id: octets, name: 'ann', displayName: 'Ann' };
    const made = (await navigator.credentials.create({ publicKey: {
      rp: { name: 'site' }, user, challenge: octets, pubKeyCredParams: [{ type: 'public-key', alg: -7 }],
      excludeCredentials: [{ type: 'public-key', id: octets, transports: ['usb'] }],
      extensions: { prf: { eval: { first: octets } } } as AuthenticationExtensionsClientInputs,
    } })) as PublicKeyCredential;
    const used = (await navigator.credentials.get({ publicKey: { challenge: octets.slice().buffer } })) as PublicKeyCredential;
    const r = made.response as AuthenticatorAttestationResponse;
    const a = used.response as AuthenticatorAssertionResponse;
    const text = (b: ArrayBuffer | null) => b && new TextDecoder().decode(b);
    return {
      kinds: [made instanceof PublicKeyCredential, made instanceof Credential, r instanceof AuthenticatorAttestationResponse, r instanceof AuthenticatorResponse, a instanceof AuthenticatorAssertionResponse, made.rawId instanceof ArrayBuffer, String(made)],
      made: [made.type, made.authenticatorAttachment, text(made.rawId), text(r.attestationObject), r.getTransports(), text(r.getAuthenticatorData()), text(r.getPublicKey()), r.getPublicKeyAlgorithm(), made.getClientExtensionResults()],
      used: [text(a.authenticatorData), text(a.signature), a.userHandle],
      json: made.toJSON(),
      challenge: JSON.parse(text(r.clientDataJSON)!).challenge,
      statics: [await PublicKeyCredential.isConditionalMediationAvailable(), await PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable()],
      rest: [Object.getOwnPropertyNames(navigator.credentials), Object.keys(window).filter((k) => k.includes('authbridge')), await navigator.credentials.get({ password: true } as CredentialRequestOptions)],
    };
  });
  expect(got.kinds).toEqual([true, true, true, true, true, true, '[object PublicKeyCredential]']);
  expect(got.made).toEqual(['public-key', 'cross-platform', 'id', 'object', ['usb'], 'data', 'key', -7, { credProps: { rk: false } }]);
  expect(got.used).toEqual(['data', 'signature', null]);
  expect(got.json).toMatchObject({ id: 'aWQ', rawId: 'aWQ', type: 'public-key', response: { attestationObject: 'b2JqZWN0' } });
  expect(got.challenge).toBe('-vv8');
  expect(got.statics).toEqual([true, false]);
  expect(got.rest).toEqual([[], [], null]);
  expect(daemon.requests[0]).toEqual({
    lease: 'lease-1', fence: 1, type: 'create', origin: site.origin, wait: true,
    options: {
      challenge: '-vv8', rp: { name: 'site' }, user: { id: '-vv8', name: 'ann', displayName: 'Ann' }, pubKeyCredParams: [{ type: 'public-key', alg: -7 }],
      excludeCredentials: [{ type: 'public-key', id: '-vv8', transports: ['usb'] }], extensions: { prf: { eval: { first: '-vv8' } } },
    },
  });
  expect(authenticator.ceremonies.map((c) => [c.type, c.ceremony?.state, c.exception])).toEqual([['create', 'done', undefined], ['get', 'done', undefined]]);
});

test('a failure is a DOMException with a browser\'s words, and no more', async ({ page, site, daemon, authenticator }) => {
  await visit(page, site.origin);
  daemon.script = () => Promise.reject(problem('WEBAUTHN_RP_ID', { dom_exception: 'SecurityError', detail: 'for people' }));
  expect(await run(page, `get({ rpId: 'example.com' })`)).toBe('SecurityError: The relying party ID is not a registrable domain suffix of, nor equal to the current domain.');
  daemon.script = () => Promise.reject(problem('WEBAUTHN_OPTIONS', { dom_exception: 'TypeError' }));
  expect(await run(page, `get()`)).toMatch(/^TypeError: /);
  daemon.script = () => Promise.reject(problem('TOUCH_TIMEOUT', { dom_exception: 'NotAllowedError' }));
  expect(await page.evaluate(`navigator.credentials.get({ publicKey: { challenge: octets } }).catch((e) => [e instanceof DOMException, e.name, e.code])`)).toEqual([true, 'NotAllowedError', 0]);
  expect(authenticator.ceremonies[0]).toMatchObject({ rpId: 'example.com', exception: 'SecurityError', problem: { code: 'WEBAUTHN_RP_ID' } });
  expect(authenticator.ceremonies[0]!.failure).toContain('for people');
  // What is wrong with the call itself does not reach the daemon.
  const before = daemon.requests.length;
  expect(await run(page, `get({ challenge: 'text' })`)).toMatch(/^TypeError: .*challenge/);
  expect(await run(page, `create({ user: undefined })`)).toMatch(/^TypeError: .*user/);
  expect(await run(page, `get({}, { signal: AbortSignal.abort() })`)).toBe('AbortError: signal is aborted without reason');
  expect(daemon.requests.length).toBe(before);
});

test('one request at a time', async ({ page, site, daemon, authenticator: _ }) => {
  daemon.script = forever;
  await visit(page, site.origin);
  expect(await run(page, `void get(); get()`)).toBe('OperationError: A request is already pending.');
  expect(await run(page, `get({}, { mediation: 'conditional' })`)).toBe('OperationError: A request is already pending.');
});

test('an abort cancels, and the next request may follow at once', async ({ page, site, daemon, authenticator }) => {
  const scripts = [forever, daemon.script, daemon.script];
  daemon.script = (...a) => scripts.shift()!(...a);
  await visit(page, site.origin);
  const both = run(page, `(async () => {
    const stop = new AbortController();
    const first = get({}, { signal: stop.signal });
    await new Promise((resolve) => { window.goOn = resolve; });
    stop.abort(new TypeError('mine'));
    return (await Promise.all([first, get()])).join(', ');
  })()`);
  await expect.poll(() => daemon.requests.length).toBe(1);
  await page.evaluate(`goOn()`);
  expect(await both).toBe('TypeError: mine, credential aWQ');
  expect(daemon.ceremonies.map((c) => c.state)).toEqual(['cancelled', 'done']);
  // One that is aborted at once does not get as far as that.
  expect(await run(page, `(async () => {
    const stop = new AbortController();
    const first = get({}, { signal: stop.signal });
    stop.abort(new TypeError('mine'));
    return (await Promise.all([first, get()])).join(', ');
  })()`)).toBe('TypeError: mine, credential aWQ');
  expect(authenticator.ceremonies.map((c) => [c.withdrawn, c.failure])).toEqual([['the page aborted it', undefined], [undefined, undefined], ['the page aborted it', undefined], [undefined, undefined]]);
});

test('a page that leaves cancels; a step within it does not', async ({ page, site, daemon, authenticator }) => {
  let begun = () => {};
  daemon.script = () => (begun(), new Promise(() => {}));
  const ask = async () => {
    const beginning = new Promise<void>((resolve) => (begun = resolve));
    await page.evaluate(`void get()`);
    await beginning;
  };
  const cancelled = (n: number, why: string) => expect.poll(() => authenticator.ceremonies[n - 1]?.withdrawn).toBe(why);
  await page.clock.install(); // a page whose time is not its own is a page still
  await visit(page, site.origin);
  await ask();
  for (let step = 0; step < 10; step++) { // each would have time to do what the first one did
    await page.evaluate(`history.pushState({}, '', '/?step${step}'); location.hash = 'x'`);
    await page.waitForURL(`**/?step${step}#x`);
  }
  expect(daemon.ceremonies[0]!.state).toBe('queued');
  await page.reload();
  await cancelled(1, 'the page went elsewhere');
  await page.evaluate(helpers);
  await ask();
  await page.close();
  await cancelled(2, 'the page closed');
  expect(daemon.ceremonies.map((c) => c.state)).toEqual(['cancelled', 'cancelled']);
});

test('a frame that is taken away cancels', async ({ page, site, daemon, authenticator }) => {
  daemon.script = forever;
  await visit(page, site.origin);
  await page.evaluate(`(() => {
    const f = document.body.appendChild(document.createElement('iframe'));
    void f.contentWindow.navigator.credentials.get({ publicKey: { challenge: octets } });
  })()`);
  await expect.poll(() => daemon.requests.length).toBe(1);
  expect(daemon.requests[0]!.origin).toBe(site.origin);
  await page.evaluate(`document.querySelector('iframe').remove()`);
  await expect.poll(() => authenticator.ceremonies[0]?.withdrawn).toBe('the frame went away');
});

test('a conditional request waits until somebody chooses', async ({ page, site, daemon, authenticator }) => {
  await visit(page, site.origin);
  await page.evaluate(`void get({}, { mediation: 'conditional' }).then((r) => { window.result = r })`);
  daemon.script = () => Promise.reject(problem('WEBAUTHN_NO_CREDENTIAL', { dom_exception: 'NotAllowedError' }));
  await expect(authenticator.choose()).rejects.toThrow('title of WEBAUTHN_NO_CREDENTIAL');
  expect(await page.evaluate('window.result'), 'the form is as it was').toBeUndefined();
  daemon.script = credentials;
  await authenticator.choose();
  await expect.poll(() => page.evaluate('window.result')).toBe('credential aWQ');
});

test('a conditional request can be aborted before anybody chose', async ({ page, site, daemon, authenticator }) => {
  await visit(page, site.origin);
  expect(await run(page, `(async () => {
    const stop = new AbortController();
    const first = get({}, { mediation: 'conditional', signal: stop.signal });
    stop.abort();
    return (await Promise.all([first, get()])).join(', ');
  })()`)).toBe('AbortError: signal is aborted without reason, credential aWQ');
  expect(daemon.requests).toHaveLength(1);
  expect(authenticator.ceremonies).toHaveLength(1);
  expect(await run(page, `create({}, { mediation: 'conditional' })`)).toMatch(/^NotAllowedError/);
});

test('a page without WebAuthn is left so', async ({ page, authenticator: _ }) => {
  await page.goto('data:text/html,<p>');
  expect(await page.evaluate(`[typeof PublicKeyCredential, typeof navigator.credentials, Object.keys(window).filter((k) => k.includes('authbridge')).length]`)).toEqual(['undefined', 'undefined', 0]);
});

test.describe('frames', () => {
  const inFrame = (site: Site, host: string, path: string, attributes: string) =>
    site.pages.set('/top', { html: `<!doctype html><iframe ${attributes} src="http://${host}:${site.port}${path}"></iframe>` });

  async function frameOf(page: Page, site: Site, early = '0') {
    site.pages.set('/frame', { html: `<!doctype html><button>Use</button><script>${helpers} var early = ${early};</script>` });
    await page.goto(`${site.origin}/top`);
    const frame = page.frames()[1]!;
    await frame.waitForLoadState();
    return frame;
  }

  test('one of another origin needs the permission of the page', async ({ page, site, daemon, authenticator: _ }) => {
    inFrame(site, 'b.localhost', '/frame', '');
    const frame = await frameOf(page, site);
    for (const kind of ['create', 'get']) {
      expect(await frame.evaluate(`${kind}()`)).toBe(`NotAllowedError: The 'publickey-credentials-${kind}' feature is not enabled in this document. Permissions Policy may be used to delegate Web Authentication capabilities to cross-origin child frames.`);
    }
    expect(daemon.requests).toEqual([]);
  });

  test('one with the permission is told of with its top page', async ({ page, site, daemon, authenticator: _ }) => {
    inFrame(site, 'b.localhost', '/frame', 'allow="publickey-credentials-get; publickey-credentials-create"');
    const frame = await frameOf(page, site, 'create()');
    expect(await frame.evaluate(`get()`)).toBe('credential aWQ');
    expect(daemon.requests[0]).toMatchObject({ origin: `http://b.localhost:${site.port}`, top_origin: site.origin });
    // A call by the test would count as a user's, one of the page's own does not.
    expect(await frame.evaluate(`early`)).toBe('NotAllowedError: A user activation is required to create a credential in a cross-origin iframe.');
    await frame.evaluate(`document.querySelector('button').onclick = async () => { window.result = await create() }`);
    await frame.click('button');
    await expect.poll(() => frame.evaluate('window.result')).toBe('credential aWQ');
  });

  test('one that asks at once is known already', async ({ page, site, daemon, authenticator: _ }) => {
    inFrame(site, 'b.localhost', '/frame', 'allow="publickey-credentials-get"');
    const frame = await frameOf(page, site, 'get()');
    expect(await frame.evaluate('early')).toBe('credential aWQ');
    expect(daemon.requests[0]).toMatchObject({ origin: `http://b.localhost:${site.port}`, top_origin: site.origin });
  });

  test('a sandbox has no origin to ask for', async ({ page, site, daemon, authenticator: _ }) => {
    inFrame(site, 'localhost', '/frame', 'sandbox="allow-scripts" allow="publickey-credentials-get"');
    const frame = await frameOf(page, site);
    expect(await frame.evaluate(`get()`)).toBe("NotAllowedError: The current origin is an opaque origin and hence not allowed to access 'PublicKeyCredential' objects.");
    expect(daemon.requests).toEqual([]);
  });

  test('srcdoc, blank frames and windows have the origin that they inherit', async ({ page, site, daemon, context, authenticator: _ }) => {
    await visit(page, site.origin);
    const opening = context.waitForEvent('page');
    expect(await page.evaluate(`(async () => {
      const f = document.createElement('iframe');
      f.srcdoc = '<p>';
      document.body.append(f);
      await new Promise((loaded) => f.onload = loaded);
      const use = (w) => w.navigator.credentials.get({ publicKey: { challenge: octets } }).then((c) => c.id, String);
      return [await use(f.contentWindow), await use(open(''))].join(' ');
    })()`)).toBe('aWQ aWQ');
    await opening;
    expect(daemon.requests.map((r) => [r.origin, r.top_origin])).toEqual([[site.origin, undefined], [site.origin, undefined]]);
  });

  test('a page cannot lend itself another origin', async ({ page, site, daemon, authenticator: _ }) => {
    await visit(page, `http://evil.localhost:${site.port}/`);
    await page.evaluate(`Object.defineProperty(self, 'origin', { value: '${site.origin}' })`);
    await run(page, 'get()');
    // Through Playwright's own channel, past our script: once with the origin of
    // another, once for a document that is gone, once as itself, which shows that
    // the channel works.
    await page.evaluate(`const own = window[Symbol.for('__authbridge')]; ((origins) => {
      const channel = Object.getOwnPropertyNames(window).find((n) => n.startsWith('__playwright__binding'));
      const object = (o, id) => ({ id, o: Object.entries(o).map(([k, v]) => ({ k, v })) });
      for (const [origin, document] of origins) {
        const ask = object({ do: 'ask', id: origin + document, kind: 'get', origin, document, options: object({ challenge: 'AAAA' }, 2) }, 1);
        window[channel](JSON.stringify({ name: '__authbridge', seq: 99, serializedArgs: [ask] }));
      }
    })([['${site.origin}', own], ['http://evil.localhost:${site.port}', 'that of another document'], ['http://evil.localhost:${site.port}', own]])`);
    await run(page, 'get()');
    expect(daemon.requests.map((r) => r.origin)).toEqual(Array(3).fill(`http://evil.localhost:${site.port}`));
  });
});
