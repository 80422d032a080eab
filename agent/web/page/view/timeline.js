// What happened, the newest first. Of many events only the last are kept.

import { $, el, show } from '../dom.js';
import { exactly } from './time.js';

const kept = 500;

export class Timeline {
  #list = $('event-rows');

  /** Adds an event. It costs one row, and one that goes, however many there are. */
  add(event) {
    const time = el('time', { datetime: event.at }, exactly(event.at));
    const node = el('li', { 'data-id': event.id }, time, el('code', {}, event.type), el('span', {}, event.text));
    this.#list.prepend(node);
    if (this.#list.childElementCount > kept) this.#list.lastElementChild.remove();
    show($('no-events'), false);
  }

  clear() {
    this.#list.replaceChildren();
    show($('no-events'), true);
  }
}
