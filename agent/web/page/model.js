// What the page knows: the snapshot, and what the events have changed in it.
// It knows nothing of the document.

const maps = { sources: 'name', readers: 'id', authenticators: 'id', checks: 'code', leases: 'id' };
const loginsKept = 50;

/** EPOCH-SEQ as its two parts. */
export function idOf(text) {
  const dash = text.lastIndexOf('-');
  return { epoch: text.slice(0, dash), seq: Number(text.slice(dash + 1)) };
}

export class Model {
  sources = new Map();
  readers = new Map();
  authenticators = new Map();
  checks = new Map();
  leases = new Map();
  ceremonies = new Map();
  logins = new Map();
  #inReader = new Map(); // reader id → authenticator id
  #id;

  get id() { return this.#id; }

  /** Takes a snapshot in place of all that it tells. */
  reset(snapshot) {
    for (const [name, key] of Object.entries(maps)) this[name] = new Map((snapshot[name] ?? []).map((v) => [v[key], v]));
    this.#inReader.clear();
    for (const a of this.authenticators.values()) if (a.reader) this.#inReader.set(a.reader, a.id);
    this.#id = idOf(snapshot.id);
  }

  /** Whether an event is in the snapshot already. */
  has(event) {
    const id = idOf(event.id);
    return id.epoch !== this.#id.epoch || id.seq <= this.#id.seq;
  }

  cardIn(reader) {
    return this.authenticators.get(this.#inReader.get(reader));
  }

  /** Takes an event, and gives what it changed as [what, key]. */
  apply(event) {
    this.#id = idOf(event.id);
    const subject = event.subject;
    switch (event.type) {
      case 'source.changed':
        this.sources.set(subject, event.source);
        return [['sources', subject]];
      case 'reader.removed':
        this.readers.delete(subject);
        return [['readers', subject]];
      case 'reader.added': case 'reader.changed': case 'card.inserted': case 'card.removed':
        if (!event.reader) return [];
        this.readers.set(event.reader.id, event.reader);
        return [['readers', event.reader.id]];
      case 'key.plugged': case 'authenticator.changed':
        return this.#authenticator(event.authenticator);
      case 'key.unplugged': case 'authenticator.gone':
        return this.#gone(subject);
      case 'check.changed':
        this.checks.set(subject, event.check);
        return [['checks', subject]];
      case 'lease.changed':
        return this.#lease(event.lease);
      case 'ceremony.changed':
        if (!event.ceremony) return [];
        set(this.ceremonies, event.ceremony.id, over(event.ceremony.state) ? undefined : event.ceremony);
        return [['ceremonies', event.ceremony.id], ['authenticators', event.ceremony.authenticator]];
      case 'login.changed':
        return this.#login(event.login);
    }
    return [];
  }

  #authenticator(a) {
    if (!a) return [];
    this.authenticators.set(a.id, a);
    if (!a.reader) return [['authenticators', a.id]];
    this.#inReader.set(a.reader, a.id);
    return [['readers', a.reader], ['authenticators', a.id]];
  }

  #gone(id) {
    const was = this.authenticators.get(id);
    this.authenticators.delete(id);
    if (!was?.reader) return [['authenticators', id]];
    if (this.#inReader.get(was.reader) === id) this.#inReader.delete(was.reader);
    return [['readers', was.reader], ['authenticators', id]];
  }

  #lease(lease) {
    if (!lease) return [];
    const name = lease.id.split('-').slice(0, 2).join('-'); // the id grows by a fence once it is taken
    if (name !== lease.id) this.leases.delete(name);
    set(this.leases, lease.id, lease.state === 'ended' ? undefined : lease);
    return [['leases', name], ['leases', lease.id], ['authenticators', lease.authenticator]];
  }

  #login(login) {
    if (!login) return [];
    const was = this.logins.get(login.id);
    this.logins.set(login.id, { ...was, ...login });
    const changed = [['logins', login.id]];
    if (!was && this.logins.size > loginsKept) {
      const [oldest] = this.logins.keys();
      this.logins.delete(oldest);
      changed.push(['logins', oldest]);
    }
    return changed;
  }

  /** The lease of an authenticator that is lent. */
  leaseOf(id) {
    for (const lease of this.leases.values()) if (lease.authenticator === id) return lease;
    return undefined;
  }

  ceremonyOn(id) {
    for (const ceremony of this.ceremonies.values()) if (ceremony.authenticator === id) return ceremony;
    return undefined;
  }
}

export const over = (state) => ['done', 'failed', 'cancelled', 'timed_out'].includes(state);

function set(map, key, value) {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}

/**
 * The state of all in one word, as the icon shows it: ready, attention,
 * not_ready. Verdicts are by "aal target".
 */
export function overall(model, verdicts) {
  const all = [...verdicts.values()];
  const at = (aal) => all.filter((v) => v.outcome === 'ready' && (!aal || v.aal === aal)).map((v) => v.target);
  const best = at(3).length ? 3 : 2;
  const ready = [...new Set(at(best))];
  const waits = [...model.ceremonies.values()].find((c) => ['insert', 'pin', 'touch'].includes(c.state));
  const ill = [...model.authenticators.values()].find((a) => a.checks?.some((c) => c.state === 'fail'));
  const stuck = [...model.readers.values()].find((r) => trouble(r.condition));
  if (!ready.length) {
    const real = all.find((v) => v.aal === 3);
    return { state: 'not_ready', title: 'Not ready', why: real?.summary ?? '' };
  }
  const title = `Ready for AAL${best} at ${list(ready)}`;
  const others = [...new Set(all.filter((v) => v.aal === best && v.outcome !== 'ready').map((v) => v.target))];
  const rest = others.length ? `Not at ${list(others, 'or')}.` : '';
  if (waits) return { state: 'attention', title, why: `Somebody is needed at ${waits.name}.` };
  if (ill) return { state: 'attention', title, why: `${ill.name}: ${ill.checks.find((c) => c.state === 'fail').evidence}.` };
  if (stuck) return { state: 'attention', title, why: `${stuck.name}: ${words[stuck.condition]}.` };
  if (best < 3) return { state: 'attention', title, why: `Not for AAL3. ${rest}` };
  return { state: 'ready', title, why: rest };
}

function list(names, word = 'and') {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} ${word} ${names.at(-1)}`;
}

/** Conditions of readers and authenticators in words. */
export const words = {
  empty: 'no card', present: 'being read', ready: 'ready', mute: 'does not answer', hung: 'stopped answering',
  in_use: 'used by another program', unreadable: 'answers, but not as it must', forbidden: 'may not be opened', unavailable: 'its service is down',
};

/** Whether a condition is a failure. */
export const trouble = (condition) => ['mute', 'hung', 'unreadable', 'forbidden', 'unavailable'].includes(condition);
