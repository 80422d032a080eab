// Leases, login runs and prompts: who uses what, and who is needed.

import { $, el, mark, put, Rows, show } from '../dom.js';
import { drawing } from './devices.js';
import { markOf } from './checks.js';
import { at, took } from './time.js';

/** Leases that are taken, and the queue. */
export function leaseRows() {
  return new Rows($('lease-rows'), () => {
    const sign = el('span', { class: 'badge' });
    const name = el('strong');
    const who = el('span', { class: 'muted' });
    return {
      node: el('li', { class: 'line' }, sign, el('div', {}, name, who)),
      patch(lease) {
        const queued = lease.state === 'queued';
        const wants = lease.requirement ?? {};
        put(sign, queued ? `${lease.position || '…'}.` : lease.state);
        mark(sign, 'data-state', lease.state);
        put(name, queued ? `waits for ${wants.kind ?? 'any authenticator'}${wants.aal ? `, AAL${wants.aal}` : ''} at ${wants.target}` : `${lease.name} at ${wants.target}`);
        put(who, [lease.holder, lease.purpose, queued ? lease.waiting : lease.ends_at && `until ${at(lease.ends_at)}`].filter(Boolean).join(' · '));
      },
    };
  }, $('no-leases'));
}

const stateMark = { passed: 'pass', failed: 'fail', aborted: 'warn', running: 'unknown', queued: 'off' };

/** Login runs, the newest first; their reports are saved as files. */
export class Logins {
  #rows = new Map();
  #save;

  constructor(save) {
    this.#save = save;
  }

  set(id, login) {
    let row = this.#rows.get(id);
    if (!login) {
      row?.node.remove();
      this.#rows.delete(id);
    } else {
      if (!row) {
        row = this.#make(id);
        this.#rows.set(id, row);
        $('login-rows').prepend(row.node);
      }
      row.patch(login);
    }
    show($('no-logins'), this.#rows.size === 0);
  }

  all(logins) {
    for (const id of [...this.#rows.keys()]) if (!logins.has(id)) this.set(id, undefined);
    for (const [id, login] of logins) this.set(id, login);
  }

  #make(id) {
    const sign = markOf();
    const name = el('strong');
    const what = el('span', { class: 'muted' });
    const summary = el('p', { class: 'small' });
    const report = (form, word) => el('button', { type: 'button', class: 'link', 'aria-label': `${word} report of ${id}`, on: { click: () => this.#save(id, form) } }, word);
    const reports = el('p', { class: 'small reports' }, 'Report: ', report('html', 'page'), ' ', report('junit', 'JUnit'), ' ', report('json', 'JSON'));
    return {
      node: el('li', { class: 'line', 'data-id': id }, sign.node, el('div', {}, name, what, summary, reports)),
      patch(l) {
        const done = ['passed', 'failed', 'aborted'].includes(l.state);
        sign.patch(stateMark[l.state] ?? 'unknown');
        put(name, `${l.scenario} at ${l.target}: ${l.state}`);
        put(what, [l.purpose, l.name, l.origin === 'virtual' ? 'virtual' : '', at(l.started_at), done && l.ended_at && took(l.started_at, l.ended_at)].filter(Boolean).join(' · '));
        put(summary, done ? l.summary || l.problem?.detail || l.problem?.title : '');
        show(summary, Boolean(summary.textContent));
        show(reports, done);
      },
    };
  }
}

const ask = { insert: 'Put it in', pin: 'Enter its PIN where the program asks for it', touch: 'Touch it' };

/** What somebody is to do at the machine now. touch is for virtual keys. */
export function promptRows(touch) {
  return new Rows($('prompt-rows'), () => {
    let pic;
    const text = el('strong');
    const what = el('span', { class: 'muted' });
    const button = el('button', { type: 'button' }, 'Touch');
    const node = el('li', { class: 'prompt' }, el('div', {}, text, what), button);
    let now;
    button.addEventListener('click', () => touch(now.authenticator));
    return {
      node,
      patch(ceremony) {
        now = ceremony;
        if (!pic) {
          pic = drawing(ceremony.type === 'sign' ? 'reader' : 'key');
          node.prepend(pic);
        }
        mark(node, 'data-origin', ceremony.authenticator_origin);
        mark(pic, 'data-card', ceremony.state === 'insert' ? 'out' : 'in');
        mark(pic, 'data-does', ceremony.state);
        put(text, ceremony.prompt?.text ?? `${ask[ceremony.state]}: ${ceremony.name}`);
        const { asker, rp_id: party } = ceremony.prompt ?? {};
        put(what, [`${ceremony.type} for ${party ? `${party} at ` : ''}${ceremony.target}`, asker && `asked by ${asker}`, ceremony.authenticator_origin, ceremony.deadline && `until ${at(ceremony.deadline)}`].filter(Boolean).join(' · '));
        show(button, ceremony.state === 'touch' && ceremony.authenticator_origin === 'virtual' && touch.allowed());
      },
    };
  });
}

export const asks = (ceremony) => ceremony && ceremony.state in ask;
