// Readers with their cards, and keys, as pictures of their state.

import { $, el, mark, picture, put, Rows, show } from '../dom.js';
import { trouble, words } from '../model.js';
import { checkRow, markOf, worstFirst } from './checks.js';

export class Devices {
  #model;
  #readers = new Rows($('reader-rows'), () => tile('reader'), $('no-readers'));
  #keys = new Rows($('key-rows'), () => tile('key'), $('no-keys'));

  constructor(model) {
    this.#model = model;
  }

  all() {
    this.#readers.all(new Map([...this.#model.readers.keys()].map((id) => [id, this.#readerValue(id)])));
    const keys = [...this.#model.authenticators.values()].filter((a) => !a.reader);
    this.#keys.all(new Map(keys.map((a) => [a.id, this.#keyValue(a.id)])));
  }

  reader(id) {
    this.#readers.set(id, this.#readerValue(id));
  }

  /** Who is in a reader is shown with it. */
  authenticator(id) {
    const a = this.#model.authenticators.get(id);
    if (a?.reader) this.reader(a.reader);
    else this.#keys.set(id, this.#keyValue(id));
  }

  #readerValue(id) {
    const reader = this.#model.readers.get(id);
    if (!reader) return undefined;
    const card = this.#model.cardIn(id);
    return { name: reader.name, device: reader, one: card, ...this.#use(card) };
  }

  #keyValue(id) {
    const key = this.#model.authenticators.get(id);
    return key && { name: key.name, device: key, one: key, ...this.#use(key) };
  }

  #use(one) {
    return one ? { lease: this.#model.leaseOf(one.id), ceremony: this.#model.ceremonyOn(one.id) } : {};
  }
}

/** The picture of a reader or a key. Its state is in data attributes, for the styles. */
export function drawing(kind) {
  return kind === 'reader' ? picture('pic', 'pic-slotcard', 'pic-card', 'pic-reader') : picture('pic', 'pic-port', 'pic-key');
}

const doing = { insert: 'waits to be put in', pin: 'waits for a PIN', touch: 'waits for a touch', running: 'works', queued: 'is about to work' };

function tile(kind) {
  const pic = drawing(kind);
  const sign = markOf();
  const name = el('h4');
  const card = el('p', { class: 'sub' });
  const state = el('span');
  const tags = el('p', { class: 'tags' });
  const lent = el('p', { class: 'lent' });
  const list = el('ul', { class: 'plain checks' });
  const checks = new Rows(list, checkRow);
  const passing = el('p', { class: 'muted small' });
  const node = el('li', { class: 'tile', 'data-kind': kind },
    el('div', { class: 'face' }, pic, el('div', {}, name, card, el('p', { class: 'state' }, sign.node, state), tags, lent)), list, passing);
  return {
    node,
    patch(value) {
      const { device, one, lease, ceremony } = value;
      const bad = (one?.checks ?? device.checks ?? []).filter((c) => c.state === 'fail' || c.state === 'warn');
      const verdict = standing(device, one, bad);
      mark(node, 'data-origin', device.origin);
      mark(pic, 'data-card', kind === 'reader' ? (device.condition === 'empty' || device.condition === 'unavailable' ? 'out' : 'in') : undefined);
      mark(pic, 'data-condition', device.condition);
      mark(pic, 'data-does', ceremony?.state);
      put(name, value.name);
      put(card, kind === 'reader' ? one?.name : one?.product);
      show(card, Boolean(card.textContent) && card.textContent !== value.name);
      sign.patch(verdict);
      put(state, stateLine(device, one, verdict));
      put(tags, [device.origin === 'virtual' ? 'virtual' : 'physical', one?.environment && `${one.environment} card`].filter(Boolean).join(' · '));
      put(lent, [lease && `lent to ${lease.holder}${lease.purpose ? ` for ${lease.purpose}` : ''}`, ceremony && (doing[ceremony.state] ?? ceremony.state)].filter(Boolean).join(' · '));
      show(lent, Boolean(lease || ceremony));
      checks.all(new Map(worstFirst(bad).map((c) => [c.code, c])));
      const passed = (one?.checks ?? []).filter((c) => c.state === 'pass').length;
      const unknown = (one?.checks ?? []).filter((c) => c.state === 'unknown').length;
      put(passing, [passed && `${passed} checks pass`, unknown && `${unknown} not known`].filter(Boolean).join(', '));
      show(passing, passed + unknown > 0);
    },
  };
}

function standing(device, one, bad) {
  if (trouble(device.condition) || bad.some((c) => c.state === 'fail')) return 'fail';
  if (bad.length || device.condition === 'in_use') return 'warn';
  if (device.condition === 'empty') return 'off';
  return device.condition === 'ready' && one ? 'pass' : 'unknown';
}

function stateLine(device, one, verdict) {
  // What answers but fails a check is not to be called ready.
  const parts = [device.condition === 'ready' && verdict === 'fail' ? 'answers' : words[device.condition] ?? device.condition];
  const pin = one?.pin;
  if (device.condition === 'ready' && pin) {
    if (pin.state === 'ok') parts.push(pin.tries_left === undefined ? 'PIN ok' : `PIN ok, ${pin.tries_left} tries left`);
    else parts.push(`PIN ${pin.state.replace('_', ' ')}`);
  } else if (trouble(device.condition) && device.detail) parts.push(device.detail);
  return parts.join(' · ');
}
