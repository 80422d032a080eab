// What holds for the package as such.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';

test('no call of the browser\'s debugging protocol', () => {
  const protocol = new RegExp(['CDP' + 'Session', 'Web' + 'Authn\\.', 'Over' + 'CDP'].join('|'));
  for (const folder of ['src', 'dist', 'e2e', 'test']) {
    for (const file of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!file.isFile()) continue;
      expect(readFileSync(join(file.parentPath, file.name), 'utf8'), file.name).not.toMatch(protocol);
    }
  }
});

test('the lock file names no registry, and at run time there is Playwright alone', () => {
  expect(readFileSync('package-lock.json', 'utf8')).not.toMatch(/"resolved"|registry\./);
  const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
  expect(manifest.dependencies).toBeUndefined();
  expect(Object.keys(manifest.peerDependencies)).toEqual(['@playwright/test']);
  for (const file of readdirSync('src')) {
    const imports = [...readFileSync(join('src', file), 'utf8').matchAll(/from '([^'.][^']*)'/g)].map((m) => m[1]);
    expect(imports.filter((i) => !i!.startsWith('node:') && i !== '@playwright/test'), file).toEqual([]);
  }
});

test('the examples of the README are what the tests in e2e run', () => {
  const readme = readFileSync('README.md', 'utf8');
  expect(readme.split('\n').length).toBeLessThanOrEqual(140);
  const examples = [...readme.matchAll(/```ts\n\/\/ (\S+)\n([^]*?)```/g)].map(([, name, text]) => [name, text]);
  expect(examples.map(([name]) => name)).toEqual(['playwright.config.ts', 'signin.spec.ts', 'login.spec.ts']);
  for (const [name, text] of examples) expect(text, name).toBe(readFileSync(join('e2e', name!), 'utf8'));
});
