// How the page gets in, and stays in: a one-time code from the address becomes
// a token for this tab. It is kept where only pages of this very origin, port
// included, find it, and ends with the tab. No cookie is set: cookies go to all
// ports.

const kept = 'authbridge';

/** The code in the address; it is taken out of it at once. */
export function takeCode() {
  const code = new URLSearchParams(location.hash.slice(1)).get('code');
  if (code) history.replaceState(null, '', location.pathname);
  return code;
}

export function load() {
  try {
    return JSON.parse(sessionStorage.getItem(kept));
  } catch {
    return null;
  }
}

export const keep = (session) => sessionStorage.setItem(kept, JSON.stringify(session));

export const forget = () => sessionStorage.removeItem(kept);
