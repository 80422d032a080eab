import { defineConfig } from '@playwright/test';
import type { AuthbridgeOptions } from '@authbridge/playwright';

export default defineConfig<{ authbridge: AuthbridgeOptions }>({
  use: {
    baseURL: process.env.APP_URL ?? 'http://localhost:3000',
    launchOptions: { executablePath: '/usr/bin/chromium' },
    authbridge: { aal: 3, target: 'mock', pin: { env: 'KEY_PIN' } },
  },
});
