// The virtual bench: cards and keys that are put in, pulled, touched and made to
// fail by hand.

import { $, el, mark, put, Rows, show } from '../dom.js';
import { drawing } from './devices.js';

const part = { smartcard: 'cards', 'security-key': 'keys' };

export class Bench {
  #api;
  #devices = new Map();
  #rows = new Rows($('bench-rows'), (key) => this.#make(key));
  #asking = false;
  #again = false;

  constructor() {
    $('new-card').addEventListener('click', () => this.#order('POST', '/v1/virtual/cards', {}, 'A card was put in'));
    $('new-key').addEventListener('click', () => this.#order('POST', '/v1/virtual/keys', {}, 'A key was plugged in'));
  }

  use(api) {
    this.#api = api;
  }

  /** The virtual device that an authenticator is. */
  deviceOf(authenticator) {
    for (const device of this.#devices.values()) if (device.authenticator === authenticator) return device;
    return undefined;
  }

  /** Looks at all devices anew; one look at a time. */
  async look() {
    if (this.#asking) {
      this.#again = true;
      return;
    }
    this.#asking = true;
    try {
      do {
        this.#again = false;
        const list = await this.#api.get('/v1/virtual');
        this.#devices = new Map(list.map((d) => [`${d.kind} ${d.name}`, d]));
        this.#rows.all(this.#devices);
      } while (this.#again);
    } catch {
      // The stream says it if the daemon has gone.
    } finally {
      this.#asking = false;
    }
  }

  touch(name) {
    return this.#order('POST', `/v1/virtual/keys/${encodeURIComponent(name)}/touch`, undefined, `${name} was touched`);
  }

  async #order(method, path, body, says) {
    try {
      const device = await this.#api.send(method, path, body);
      put($('bench-says'), says + (device?.reinsert ? '; take it out and put it in again to see it' : ''));
    } catch (error) {
      put($('bench-says'), error.remedy ? `${error.message}. ${error.remedy}` : error.message);
    }
    this.look();
  }

  #make(key) {
    const space = key.indexOf(' ');
    const kind = key.slice(0, space);
    const name = key.slice(space + 1);
    const card = kind === 'smartcard';
    const base = `/v1/virtual/${part[kind]}/${encodeURIComponent(name)}`;
    let device;

    const pic = drawing(card ? 'reader' : 'key');
    const what = el('span', { class: 'muted' });
    const move = el('button', { type: 'button', on: { click: () => {
      const way = device.plugged ? ['DELETE', base, undefined] : ['POST', `/v1/virtual/${part[kind]}`, { name }];
      return this.#order(...way, `${name}: ${device.plugged ? 'taken out' : 'put in'}`);
    } } });
    const touch = el('button', { type: 'button', 'aria-label': `Touch ${name}`, on: { click: () => this.touch(name) } }, 'Touch');
    const choice = el('select', { 'aria-label': `Fault of ${name}` }, el('option', { value: '' }, 'no fault'));
    const value = el('input', { class: 'value', 'aria-label': `Value of the fault of ${name}`, autocomplete: 'off', spellcheck: 'false', maxlength: '8', hidden: '' });
    const set = el('button', { type: 'button', class: 'quiet', 'aria-label': `Set the fault of ${name}` }, 'Set');
    choice.addEventListener('change', () => {
      show(value, choice.value === 'slow' || choice.value === 'sw');
      value.value = { slow: '2s', sw: '6F00' }[choice.value] ?? '';
    });
    set.addEventListener('click', () => {
      const fault = { name: choice.value };
      if (fault.name === 'slow') fault.delay = value.value;
      if (fault.name === 'sw') fault.sw = value.value;
      return this.#order('PUT', `${base}/faults`, fault.name ? [fault] : [], `${name}: ${fault.name || 'no fault'}`);
    });

    return {
      node: el('li', { class: 'device', 'data-kind': card ? 'reader' : 'key', 'data-origin': 'virtual' }, pic,
        el('div', { class: 'what' }, el('strong', {}, name), what),
        el('div', { class: 'actions' }, move, card ? '' : touch, el('span', { class: 'fault' }, choice, value, set))),
      patch(d) {
        if (!device) choice.append(...d.can_fail.map((name) => el('option', { value: name }, name)));
        device = d;
        const out = card ? 'Insert' : 'Plug in';
        const verb = d.plugged ? (card ? 'Pull' : 'Unplug') : out;
        put(move, verb);
        mark(move, 'aria-label', `${verb} ${card ? 'the card in' : ''} ${name}`.replace('  ', ' '));
        show(touch, d.plugged);
        mark(pic, 'data-card', d.plugged ? 'in' : 'out');
        mark(pic, 'data-plugged', String(d.plugged));
        put(what, [d.plugged ? (card ? 'card in' : 'plugged in') : (card ? 'card out' : 'unplugged'), d.where !== 'in-process' && d.where,
          d.faults.length > 0 && `fault: ${d.faults.map((f) => [f.name, f.delay ?? f.sw].filter(Boolean).join('=')).join(', ')}`].filter(Boolean).join(' · '));
      },
    };
  }
}
