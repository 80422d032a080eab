// The stream of events, read with a token. EventSource cannot send one.

import { Gone } from './api.js';

// Two heartbeats and a half: who is silent longer has gone without a word.
const silence = 40_000;

/**
 * Follows the events behind an id until the stream ends, which it does by an
 * error: Gone or a Problem. heard gets each as {id, type, data}.
 */
export async function follow(api, after, heard) {
  const stop = new AbortController();
  let timer;
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => stop.abort(), silence);
  };
  alive();
  try {
    const response = await api.ask('GET', '/v1/events', { headers: { 'Last-Event-ID': after }, signal: stop.signal });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const read = parser(heard);
    for (;;) {
      const { done, value } = await reader.read().catch((error) => { throw new Gone(error.message); });
      if (done) throw new Gone('the stream ended');
      alive();
      read(value);
    }
  } finally {
    clearTimeout(timer);
    stop.abort();
  }
}

/** Takes the stream apart as it comes (HTML, 9.2.6), as far as the daemon uses it: one line of data an event. */
export function parser(heard) {
  let rest = '';
  return (text) => {
    rest += text;
    for (let end; (end = rest.indexOf('\n\n')) >= 0; rest = rest.slice(end + 2)) {
      const event = {};
      for (const line of rest.slice(0, end).split('\n')) {
        const colon = line.indexOf(': ');
        if (colon > 0) event[line.slice(0, colon)] = line.slice(colon + 2);
      }
      if (event.data) heard({ id: event.id, type: event.event, data: JSON.parse(event.data) });
    }
  };
}
