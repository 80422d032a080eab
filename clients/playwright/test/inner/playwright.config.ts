import { defineConfig } from '@playwright/test';
import type { AuthbridgeOptions } from '@authbridge/playwright';
import { chromium } from '../../chromium.js';

// Run by run.spec.ts, which reads what comes of it.
export default defineConfig<{ authbridge: AuthbridgeOptions }>({
  workers: 1,
  reporter: 'json',
  outputDir: process.env.INNER_OUTPUT!,
  use: {
    launchOptions: chromium,
    trace: 'on',
    authbridge: { wait: 100, pin: { env: 'CANARY' } },
  },
});
