// A check: its mark, what was seen, and what to do.

import { $, el, mark, picture, prose, put, Rows, show } from '../dom.js';

/** A mark whose shape says the state; its word is beside it. */
export function markOf() {
  const node = picture('mark', 'mark-off');
  const use = node.firstChild;
  return { node, patch: (state) => { mark(use, 'href', `#mark-${state}`); mark(node, 'data-state', state); } };
}

/** A row for a check. */
export function checkRow() {
  const sign = markOf();
  const title = el('strong');
  const word = el('span', { class: 'hidden-words' });
  const nhs = el('code', { class: 'tag' });
  const evidence = el('span', { class: 'evidence' });
  const remedy = el('p', { class: 'remedy' });
  const mend = el('pre', { class: 'mend' });
  const node = el('li', { class: 'check' }, sign.node, el('div', {}, el('p', {}, word, title, ' ', nhs), el('p', {}, evidence), remedy, mend));
  return {
    node,
    patch(check) {
      mark(node, 'data-state', check.state);
      sign.patch(check.state);
      put(word, `${stateWord[check.state] ?? check.state}: `);
      put(title, check.title);
      put(nhs, check.nhs_code);
      show(nhs, Boolean(check.nhs_code));
      prose(evidence, check.evidence);
      prose(remedy, check.state === 'pass' ? '' : check.remedy);
      show(remedy, check.state !== 'pass' && Boolean(check.remedy));
      put(mend, check.mend);
      show(mend, Boolean(check.mend));
    },
  };
}

export const stateWord = { pass: 'passes', warn: 'warning', fail: 'fails', unknown: 'not known' };

const weight = { fail: 0, warn: 1, unknown: 2, pass: 3 };

/** The worst first; of equals as they came. */
export const worstFirst = (checks) => [...(checks ?? [])].sort((a, b) => weight[a.state] - weight[b.state]);

/** The checks of the machine: what fails or warns, and folded what is not known. */
export class Machine {
  #bad = new Rows($('check-rows'), checkRow, $('no-checks'));
  #unknown = new Rows($('unknown-rows'), checkRow);
  #count = 0;
  #open = new Set();

  set(code, check) {
    this.#bad.set(code, check?.state === 'fail' || check?.state === 'warn' ? check : undefined);
    const unknown = check?.state === 'unknown';
    this.#unknown.set(code, unknown ? check : undefined);
    if (unknown) this.#open.add(code);
    else this.#open.delete(code);
    if (this.#count === this.#open.size) return;
    this.#count = this.#open.size;
    put($('unknown-count'), `${this.#count} more ${this.#count === 1 ? 'is' : 'are'} not known`);
    show($('unknown'), this.#count > 0);
  }

  /** Shows the checks of a map, and no others. */
  all(checks) {
    for (const code of this.#shown) if (!checks.has(code)) this.set(code, undefined);
    this.#shown = new Set(checks.keys());
    for (const check of worstFirst([...checks.values()])) this.set(check.code, check);
  }

  #shown = new Set();
}
