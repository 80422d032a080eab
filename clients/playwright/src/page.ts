// What runs in the page. It is serialised, so it sees nothing of this module at
// run time: types only.

import type { Answer } from './message.js';
import type { CredentialJSON } from './wire.js';

/**
 * Replaces navigator.credentials.create and get for public keys by calls of the
 * binding, in every document of the context and before any code of the page.
 * Where the browser has no WebAuthn (an insecure context) it leaves all as it is.
 */
export function inPage(binding: string): void {
  const scope = window as unknown as Record<string, unknown>;
  const ask = scope[binding] as ((message: object) => Promise<Answer>) | undefined;
  delete scope[binding]; // not for the page
  if (!ask || !window.PublicKeyCredential || !navigator.credentials) return;

  const prefix = 'publickey-credentials-';
  // Taken now: the page may replace them later.
  const policy = (document as unknown as { featurePolicy?: { allowsFeature(name: string): boolean } }).featurePolicy;
  const origin = self.origin;
  const newID = crypto.randomUUID.bind(crypto);
  // Tells this document from the next one in its frame; no other page can know it.
  const documentID = newID();
  Object.defineProperty(window, Symbol.for(binding), { value: documentID });
  let pending: string | undefined;

  const encode = (octets: Uint8Array): string => {
    let text = '';
    for (const octet of octets) text += String.fromCharCode(octet);
    return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
  };
  const decode = (text: string): ArrayBuffer => {
    const raw = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
    return Uint8Array.from(raw, (c) => c.charCodeAt(0)).buffer;
  };
  // A buffer may be of another realm: instanceof would not know it.
  const octets = (value: unknown): Uint8Array | undefined => {
    if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    const isBuffer = Object.prototype.toString.call(value) === '[object ArrayBuffer]';
    return isBuffer ? new Uint8Array(value as ArrayBuffer) : undefined;
  };

  // Options are read as WebIDL reads dictionaries: known members only.
  type Dictionary = Record<string, unknown>;
  const wrong = (member: string, want: string) => new TypeError(`The member '${member}' of 'publicKey' ${want}.`);
  const buffer = (value: unknown, member: string): string => {
    const found = octets(value);
    if (!found) throw wrong(member, "is not of type '(ArrayBuffer or ArrayBufferView)'");
    return encode(found);
  };
  const dictionary = (value: unknown, member: string): Dictionary => {
    if (value === null || typeof value !== 'object') throw wrong(member, 'is missing or no dictionary');
    return value as Dictionary;
  };
  const list = <T>(value: unknown, each: (item: unknown) => T): T[] | undefined =>
    value === undefined ? undefined : Array.from(value as Iterable<unknown>, each);
  const text = (value: unknown) => (value === undefined ? undefined : String(value));
  const pick = (value: unknown, ...members: string[]): Dictionary | undefined =>
    value === undefined || value === null ? undefined : Object.fromEntries(members.map((m) => [m, (value as Dictionary)[m]]));
  const descriptors = (value: unknown, member: string) =>
    list(value, (item) => {
      const d = dictionary(item, member);
      return { type: text(d.type), id: buffer(d.id, `${member}.id`), transports: list(d.transports, String) };
    });
  // Extensions are the authenticator's to know; only their octets need care.
  const plain = (value: unknown): unknown => {
    const found = octets(value);
    if (found) return encode(found);
    if (Array.isArray(value)) return value.map(plain);
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)]));
  };
  const common = (o: Dictionary) => ({
    challenge: buffer(o.challenge, 'challenge'),
    timeout: o.timeout === undefined ? undefined : Number(o.timeout),
    hints: list(o.hints, String),
    extensions: plain(o.extensions),
  });
  const options = {
    create: (o: Dictionary) => {
      const user = dictionary(o.user, 'user');
      return {
        ...common(o),
        rp: pick(dictionary(o.rp, 'rp'), 'id', 'name'),
        user: { id: buffer(user.id, 'user.id'), name: text(user.name), displayName: text(user.displayName) },
        pubKeyCredParams: list(o.pubKeyCredParams, (p) => pick(p, 'type', 'alg')),
        excludeCredentials: descriptors(o.excludeCredentials, 'excludeCredentials'),
        authenticatorSelection: pick(o.authenticatorSelection, 'authenticatorAttachment', 'residentKey', 'requireResidentKey', 'userVerification'),
        attestation: text(o.attestation),
        attestationFormats: list(o.attestationFormats, String),
      };
    },
    get: (o: Dictionary) => ({
      ...common(o),
      rpId: text(o.rpId),
      allowCredentials: descriptors(o.allowCredentials, 'allowCredentials'),
      userVerification: text(o.userVerification),
    }),
  };

  // The browser's own accessors refuse an object that it did not make, so each
  // attribute is the object's own.
  const own = <T extends object>(prototype: T, members: Dictionary): T => {
    const object = Object.create(prototype) as T;
    for (const [name, value] of Object.entries(members)) {
      Object.defineProperty(object, name, { value, enumerable: true, configurable: true });
    }
    return object;
  };
  const results = (json: Dictionary): Dictionary => {
    const prf = json.prf as { results?: Record<string, string> } | undefined;
    if (!prf?.results) return json;
    return { ...json, prf: { ...prf, results: Object.fromEntries(Object.entries(prf.results).map(([k, v]) => [k, decode(v)])) } };
  };
  const credential = (json: CredentialJSON): Credential => {
    const r = json.response;
    const response =
      r.attestationObject === undefined
        ? own(AuthenticatorAssertionResponse.prototype, {
            clientDataJSON: decode(r.clientDataJSON),
            authenticatorData: decode(r.authenticatorData!),
            signature: decode(r.signature!),
            userHandle: r.userHandle ? decode(r.userHandle) : null,
          })
        : own(AuthenticatorAttestationResponse.prototype, {
            clientDataJSON: decode(r.clientDataJSON),
            attestationObject: decode(r.attestationObject),
            getTransports: () => [...(r.transports ?? [])],
            getAuthenticatorData: () => decode(r.authenticatorData!),
            getPublicKey: () => (r.publicKey ? decode(r.publicKey) : null),
            getPublicKeyAlgorithm: () => r.publicKeyAlgorithm,
          });
    return own(PublicKeyCredential.prototype, {
      id: json.id,
      rawId: decode(json.rawId),
      type: json.type,
      authenticatorAttachment: json.authenticatorAttachment ?? null,
      response,
      getClientExtensionResults: () => results(structuredClone(json.clientExtensionResults ?? {})),
      toJSON: () => structuredClone(json),
    });
  };

  const foreign = () => Array.from(location.ancestorOrigins ?? []).some((above) => above !== origin);
  const refuse = (name: string, message: string) => new DOMException(message, name);
  type Options = { publicKey?: unknown; signal?: AbortSignal; mediation?: string };
  const answer = async (kind: 'create' | 'get', o: Options): Promise<Credential> => {
    if (policy && !policy.allowsFeature(prefix + kind)) {
      throw refuse('NotAllowedError', `The '${prefix}${kind}' feature is not enabled in this document. Permissions Policy may be used to delegate Web Authentication capabilities to cross-origin child frames.`);
    }
    if (kind === 'create' && foreign() && !navigator.userActivation.isActive) {
      throw refuse('NotAllowedError', 'A user activation is required to create a credential in a cross-origin iframe.');
    }
    const { signal, mediation } = o;
    if (signal?.aborted) throw signal.reason;
    const json = options[kind](dictionary(o.publicKey, 'publicKey'));
    if (pending) throw refuse('OperationError', 'A request is already pending.');
    const id = newID();
    pending = id;
    let onAbort = () => {};
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => {
        pending = undefined; // at once: a page may ask again before it hears of this
        reject(signal!.reason);
        void ask({ do: 'abort', id });
      };
    });
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      const a = await Promise.race([ask({ do: 'ask', id, kind, mediation, document: documentID, origin, options: json }), aborted]);
      if ('credential' in a) return credential(a.credential);
      const { name, message } = a.error;
      throw name === 'TypeError' ? new TypeError(message) : refuse(name, message);
    } finally {
      if (pending === id) pending = undefined;
      signal?.removeEventListener('abort', onAbort);
    }
  };

  const container = CredentialsContainer.prototype;
  const native = { create: container.create, get: container.get };
  for (const kind of ['create', 'get'] as const) {
    container[kind] = async function (this: CredentialsContainer, o?: Options) {
      return o?.publicKey ? answer(kind, o) : native[kind].call(this, o as CredentialCreationOptions & CredentialRequestOptions);
    };
  }
  // What is leased is a security key, whatever this machine has built in.
  PublicKeyCredential.isConditionalMediationAvailable = async () => true;
  PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable = async () => false;
}
