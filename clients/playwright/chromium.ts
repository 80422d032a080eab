import { accessSync } from 'node:fs';

const places = ['/usr/bin/chromium', '/usr/bin/google-chrome', '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'];

/** The browser of the machine; none is downloaded. */
export const chromium = {
  executablePath: process.env.AUTHBRIDGE_CHROMIUM ?? places.find(isThere) ?? places[0]!,
};

function isThere(path: string): boolean {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}
