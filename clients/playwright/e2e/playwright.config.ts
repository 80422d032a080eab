import { defineConfig } from '@playwright/test';
import type { AuthbridgeOptions } from '@authbridge/playwright';

export default defineConfig<{ authbridge: AuthbridgeOptions }>({
  use: {
    baseURL: process.env.APP_URL ?? 'http://localhost:3000',
    launchOptions: {
      executablePath: '/usr/bin/chromium',
      // One authority for the time of a test, by its key; no trust store has it.
      args: process.env.TRUSTED_KEY ? [`--ignore-certificate-errors-spki-list=${process.env.TRUSTED_KEY}`] : [],
    },
    authbridge: { aal: 3, target: 'mock', pin: { env: 'KEY_PIN' } },
  },
});
