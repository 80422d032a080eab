// Pages as they come: forms, second thoughts, frames.

import type { Page } from '@playwright/test';
import { expect, test } from '@authbridge/playwright';

const status = (page: Page) => page.getByRole('status');

async function register(page: Page, user: string): Promise<void> {
  await page.getByLabel('User name').fill(user);
  await page.getByRole('button', { name: 'Register' }).click();
  await expect(status(page)).toHaveText(`registered as ${user}`);
}

test('refuses a second credential of an account', async ({ page, authenticator }) => {
  await page.goto('/');
  await register(page, 'bob');
  await page.getByRole('button', { name: 'Register' }).click();
  await expect(status(page)).toHaveText('InvalidStateError');
  expect(authenticator.ceremonies.at(-1)?.problem?.code).toBe('WEBAUTHN_EXCLUDED');
});

test('signs in with the passkey that is chosen in the form', async ({ page, authenticator }) => {
  await page.goto('/?passkey');
  await register(page, 'cy');
  await page.goto('/?passkey&conditional');
  await expect(status(page)).toHaveText('waits for a passkey');
  await authenticator.choose();
  await expect(status(page)).toHaveText('signed in as cy');
});

test('gives the form up for a request that somebody makes', async ({ page, authenticator }) => {
  await page.goto('/');
  await register(page, 'di');
  await page.goto('/?conditional');
  await expect(status(page)).toHaveText('waits for a passkey');
  await page.getByLabel('User name').fill('di');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(status(page)).toHaveText('signed in as di');
  expect(authenticator.ceremonies.map((c) => c.exception)).toEqual([undefined, undefined]);
});

test('signs in from a frame of another origin that is allowed to', async ({ page, baseURL, authenticator }) => {
  await page.goto('/');
  await register(page, 'ed');
  const top = new URL('/frame?allow=publickey-credentials-get', baseURL);
  top.hostname = 'top.localhost';
  await page.goto(top.href);
  const frame = page.frameLocator('iframe');
  await frame.getByLabel('User name').fill('ed');
  await frame.getByRole('button', { name: 'Sign in' }).click();
  await expect(frame.getByRole('status')).toHaveText('signed in as ed');
  expect(authenticator.ceremonies.at(-1)).toMatchObject({ origin: baseURL, topOrigin: top.origin });
});

test('is refused in a frame of another origin without the permission', async ({ page, baseURL, authenticator }) => {
  const top = new URL('/frame', baseURL);
  top.hostname = 'top.localhost';
  await page.goto(top.href);
  const frame = page.frameLocator('iframe');
  await frame.getByLabel('User name').fill('fay');
  await frame.getByRole('button', { name: 'Register' }).click();
  await expect(frame.getByRole('status')).toHaveText('NotAllowedError');
  expect(authenticator.ceremonies).toEqual([]);
});
