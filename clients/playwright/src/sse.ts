// Server-sent events (HTML, section 9.2.6), as far as the daemon sends them.

/** One event of a stream. */
export interface Message {
  event: string;
  data: string;
}

/** A message far above any snapshot ends the stream. */
const most = 16 << 20;

/** Reads messages as they come; one that is not complete when the stream ends is dropped. */
export async function* messages(chunks: AsyncIterable<string>): AsyncGenerator<Message> {
  let rest = '';
  let event = '';
  let data: string[] = [];
  for await (const chunk of chunks) {
    rest += chunk;
    const lines = rest.split('\n');
    rest = lines.pop()!;
    if (rest.length > most) throw new Error('a line of the event stream is too long');
    for (const raw of lines) {
      const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
      if (line === '') {
        if (data.length > 0) yield { event, data: data.join('\n') };
        event = '';
        data = [];
        continue;
      }
      const colon = line.indexOf(':');
      const name = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (name === 'event') event = value;
      else if (name === 'data') data.push(value);
    }
  }
}
