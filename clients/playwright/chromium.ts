import { accessSync } from 'node:fs';

const places = ['/usr/bin/chromium', '/usr/bin/google-chrome', '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'];

/** The browser of the machine; none is downloaded. Root has no sandbox. */
export const chromium = {
  executablePath: process.env.AUTHBRIDGE_CHROMIUM ?? places.find(isThere) ?? places[0]!,
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
};

function isThere(path: string): boolean {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}
