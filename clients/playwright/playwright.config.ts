import { defineConfig } from '@playwright/test';
import { chromium } from './chromium.js';

// The package's own tests, against a daemon that is played by test/fake.ts.
export default defineConfig({
  testDir: 'test',
  testIgnore: 'inner/**',
  workers: 1,
  forbidOnly: true,
  reporter: 'list',
  outputDir: 'test-results/own',
  use: { launchOptions: chromium },
});
