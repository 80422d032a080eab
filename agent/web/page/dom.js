// What the page does to its document. Outside text goes in as text, never as
// markup; nothing is written that is there already.

const svg = 'http://www.w3.org/2000/svg';

/** A new element with its properties and children; text is a child too. */
export function el(name, properties = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === 'on') for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else if (value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

/** A picture made of symbols of the page, in their order. */
export function picture(cls, ...symbols) {
  const node = document.createElementNS(svg, 'svg');
  node.setAttribute('class', cls);
  node.setAttribute('aria-hidden', 'true');
  for (const symbol of symbols) {
    const use = document.createElementNS(svg, 'use');
    use.setAttribute('href', '#' + symbol);
    use.setAttribute('class', symbol);
    node.append(use);
  }
  return node;
}

/** Writes a text, if it is another. */
export function put(node, text) {
  const now = text ?? '';
  const first = node.firstChild;
  if (first?.nodeType === Node.TEXT_NODE && !first.nextSibling) {
    if (first.data !== now) first.data = now;
  } else if (first || now !== '') node.textContent = now;
}

const proses = new WeakMap();

/** Writes a text in which words are between backticks, as remedies have them. */
export function prose(node, text) {
  const now = text ?? '';
  if (proses.get(node) === now) return;
  proses.set(node, now);
  node.replaceChildren(...now.split('`').map((part, i) => (i % 2 ? el('code', {}, part) : part)));
}

/** Sets an attribute, if it is another; undefined takes it away. */
export function mark(node, name, value) {
  if (value === undefined) node.removeAttribute(name);
  else if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

export function show(node, shown) {
  if (node.hidden === shown) node.hidden = !shown;
}

export const $ = (id) => document.getElementById(id);

/**
 * Rows of a list, each found by its key: a change touches its own row and no
 * other. make(key) gives {node, patch(value)}.
 */
export class Rows {
  #parent;
  #make;
  #empty;
  #rows = new Map();

  constructor(parent, make, empty) {
    this.#parent = parent;
    this.#make = make;
    this.#empty = empty;
  }

  /** Patches the row of a key, or makes it; undefined takes it away. */
  set(key, value) {
    let row = this.#rows.get(key);
    if (value === undefined) {
      if (!row) return;
      row.node.remove();
      this.#rows.delete(key);
    } else {
      if (!row) {
        row = this.#make(key);
        this.#rows.set(key, row);
        this.#parent.append(row.node);
      }
      row.patch(value);
    }
    if (this.#empty) show(this.#empty, this.#rows.size === 0);
  }

  /** Makes the rows those of a map. */
  all(values) {
    for (const key of [...this.#rows.keys()]) if (!values.has(key)) this.set(key, undefined);
    for (const [key, value] of values) this.set(key, value);
  }
}

/** Runs something once before the next picture, however often it was asked to. */
export function coalesced(run) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    const now = () => { asked = false; run(); };
    // A page that nobody looks at gets no frames, and is to be right all the same.
    if (document.hidden) setTimeout(now, 100);
    else requestAnimationFrame(now);
  };
}
