// Verdicts by target and level, and the reasons of the one that is chosen.

import { $, el, mark, prose, put, Rows, show } from '../dom.js';
import { checkRow, markOf, worstFirst } from './checks.js';

export const levels = [2, 3];
export const outcomeWord = { ready: 'ready', not_ready: 'not ready', unproven: 'unproven' };
const outcomeMark = { ready: 'pass', not_ready: 'fail', unproven: 'unknown' };
const targetWord = { mock: 'here', int: 'integration', dep: 'deployment', prod: 'live' };
const mostCandidates = 12;

export const keyOf = (aal, target) => `${aal} ${target}`;

export class Verdicts {
  #verdicts;
  #announce;
  #ask;
  #cells = new Map();
  #chosen;
  #why = reasons();

  /** ask has a verdict asked for that somebody chose. */
  constructor(verdicts, announce, ask) {
    this.#verdicts = verdicts;
    this.#announce = announce;
    this.#ask = ask;
    $('why').append(this.#why.node);
  }

  targets(targets) {
    $('verdict-rows').replaceChildren(...targets.map((target) => el('tr', {},
      el('th', { scope: 'row' }, target, el('span', { class: 'muted' }, targetWord[target] ?? '')),
      ...levels.map((aal) => el('td', {}, this.#cell(aal, target))))));
    if (!this.#chosen || !this.#cells.has(this.#chosen)) this.#choose(keyOf(3, targets[0]));
  }

  #cell(aal, target) {
    const sign = markOf();
    const word = el('span', { class: 'word' });
    const key = keyOf(aal, target);
    const node = el('button', { type: 'button', class: 'cell', 'aria-pressed': 'false', on: { click: () => { this.#choose(key); this.#ask(aal, target); } } },
      sign.node, el('span', { class: 'hidden-words' }, `AAL${aal} at ${target}: `), word);
    this.#cells.set(key, { node, sign, word });
    return node;
  }

  #choose(key) {
    this.#chosen = key;
    for (const [other, cell] of this.#cells) mark(cell.node, 'aria-pressed', String(other === key));
    const verdict = this.#verdicts.get(key);
    if (verdict) this.#why.patch(verdict);
  }

  /** Shows a verdict; a change of it is said. */
  set(verdict) {
    const key = keyOf(verdict.aal, verdict.target);
    const was = this.#verdicts.get(key);
    this.#verdicts.set(key, verdict);
    const cell = this.#cells.get(key);
    mark(cell.node, 'data-outcome', verdict.outcome);
    cell.sign.patch(outcomeMark[verdict.outcome]);
    put(cell.word, outcomeWord[verdict.outcome]);
    if (was && was.outcome !== verdict.outcome) this.#announce(`AAL${verdict.aal} at ${verdict.target}: ${outcomeWord[verdict.outcome]}.`);
    if (key === this.#chosen) this.#why.patch(verdict);
  }
}

/** The reasons of a verdict: what is wrong or not known, for each who was considered. */
function reasons() {
  const title = el('h3', { id: 'why-title' });
  const summary = el('p', { class: 'summary' });
  const candidates = el('ul', { class: 'plain candidates' });
  const rows = new Rows(candidates, candidateRow);
  const more = el('p', { class: 'muted' });
  const list = el('ul', { class: 'plain checks' });
  const own = new Rows(list, checkRow);
  return {
    node: el('div', {}, title, summary, list, candidates, more),
    patch(verdict) {
      put(title, `AAL${verdict.aal} at ${verdict.target}: ${outcomeWord[verdict.outcome]}`);
      prose(summary, verdict.summary);
      own.all(byCode(verdict.outcome === 'ready' ? [] : verdict.checks));
      const shown = verdict.candidates.slice(0, mostCandidates);
      rows.all(new Map(shown.map((c) => [c.authenticator, c])));
      put(more, verdict.candidates.length > shown.length ? `and ${verdict.candidates.length - shown.length} more` : '');
      show(more, verdict.candidates.length > shown.length);
    },
  };
}

const byCode = (checks) => new Map(worstFirst(checks).filter((c) => c.state !== 'pass').map((c) => [c.code, c]));

function candidateRow() {
  const sign = markOf();
  const name = el('strong');
  const word = el('span', { class: 'muted' });
  const list = el('ul', { class: 'plain checks' });
  const checks = new Rows(list, checkRow);
  return {
    node: el('li', {}, el('p', { class: 'who' }, sign.node, name, word), list),
    patch(c) {
      const passed = c.checks.filter((k) => k.state === 'pass').length;
      sign.patch(outcomeMark[c.outcome]);
      put(name, c.name);
      put(word, [c.origin, outcomeWord[c.outcome], passed ? `${passed} checks pass` : ''].filter(Boolean).join(' · '));
      checks.all(byCode(c.checks));
    },
  };
}
