// Where the daemon is, found as the command line does (agent/client, platform).

import { createHash } from 'node:crypto';
import * as paths from 'node:path';

/** How to reach the daemon. */
export interface Place {
  /** For people. */
  address: string;
  host: string;
  port?: number;
  /** Unix socket or named pipe; there the user is known and needs no token. */
  sockets?: string[];
  token?: string;
}

/** What the place is found by. */
export interface Surroundings {
  env: Record<string, string | undefined>;
  platform: string;
  home: string;
}

/**
 * AUTHBRIDGE_URL first (http://127.0.0.1:PORT or unix:///PATH), with
 * AUTHBRIDGE_TOKEN; else the socket or pipe in its usual place. TCP is used
 * only where somebody said so: another user could bind the port while the
 * daemon is down, and collect tokens.
 */
export function locate(s: Surroundings): Place {
  const { AUTHBRIDGE_URL: url, AUTHBRIDGE_TOKEN: given } = s.env;
  const token = given ? { token: given } : {};
  if (!url) {
    const sockets = folders(s).map((dir) => socketIn(s.platform, dir));
    return { address: sockets[0]!, host: 'localhost', sockets, ...token };
  }
  if (url.startsWith('unix:')) {
    const socket = url.slice('unix:'.length).replace(/^\/\//, '');
    if (!socket) throw new Error('AUTHBRIDGE_URL: unix: is followed by the path of the socket');
    return { address: url, host: 'localhost', sockets: [socket], ...token };
  }
  const at = URL.canParse(url) ? new URL(url) : undefined;
  if (!at || at.protocol !== 'http:' || at.username || at.search || at.pathname !== '/') {
    throw new Error('AUTHBRIDGE_URL: want http://127.0.0.1:PORT or unix:///PATH');
  }
  const host = at.hostname.replace(/^\[|\]$/g, '');
  if (!['127.0.0.1', 'localhost', '::1'].includes(host)) {
    // The token would cross a network in clear.
    throw new Error('AUTHBRIDGE_URL: the daemon is on this machine only: want 127.0.0.1, [::1] or localhost');
  }
  return { address: url, host, port: Number(at.port || 80), ...token };
}

/** The folders in which a user's own daemon has its socket, the likeliest first, and then the system service's. */
function folders({ env, platform, home }: Surroundings): string[] {
  const path = platform === 'win32' ? paths.win32 : paths.posix;
  const or = (name: string, otherwise: string) => {
    const v = env[name];
    return v && path.isAbsolute(v) ? v : otherwise;
  };
  switch (platform) {
    case 'win32':
      return [path.join(or('LocalAppData', path.join(home, 'AppData', 'Local')), 'authbridge')];
    case 'darwin':
      return [path.join(home, 'Library', 'Application Support', 'authbridge'), '/var/run/authbridge'];
  }
  const state = path.join(or('XDG_STATE_HOME', path.join(home, '.local', 'state')), 'authbridge');
  const run = or('XDG_RUNTIME_DIR', '');
  return [...(run ? [path.join(run, 'authbridge')] : []), state, '/run/authbridge'];
}

/** The name of the socket in a folder; a path that fits no socket address has a short stand-in. */
export function socketIn(platform: string, dir: string): string {
  const short = createHash('sha256').update(dir).digest('hex').slice(0, 16);
  if (platform === 'win32') return `\\\\.\\pipe\\authbridge-${short}`;
  const path = paths.posix.join(dir, 'authbridge.sock');
  return Buffer.byteLength(path) > 100 ? `/tmp/authbridge-${short}/authbridge.sock` : path;
}
