// The API of the daemon, asked with a token.

/** What the daemon refused, with its code and remedy (RFC 9457). */
export class Problem extends Error {
  constructor(problem, status) {
    super(problem?.detail || problem?.title || `the daemon answered ${status}`);
    this.status = status;
    this.code = problem?.code;
    this.remedy = problem?.remedy;
  }
}

/** The daemon does not answer. */
export class Gone extends Error {}

export class API {
  #token;

  constructor(token) {
    this.#token = token;
  }

  /** Asks, and gives the response if it is a success. */
  async ask(method, path, { body, headers, signal } = {}) {
    let response;
    try {
      response = await fetch(path, {
        method,
        signal,
        headers: { Authorization: `Bearer ${this.#token}`, ...(method === 'GET' ? {} : { 'Content-Type': 'application/json' }), ...headers },
        body: body === undefined ? undefined : JSON.stringify(body),
        cache: 'no-store',
        credentials: 'omit',
        redirect: 'error',
        referrerPolicy: 'no-referrer',
      });
    } catch (error) {
      throw new Gone(error.message);
    }
    if (response.ok) return response;
    throw new Problem(await response.json().catch(() => undefined), response.status);
  }

  async get(path) {
    const response = await this.ask('GET', path);
    return response.json().catch(() => { throw new Gone('the answer was cut off'); });
  }

  async send(method, path, body) {
    const response = await this.ask(method, path, { body });
    return response.status === 204 ? undefined : response.json();
  }
}
