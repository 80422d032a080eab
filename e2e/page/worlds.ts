// What the specs run against: the built daemon, and worlds that the Go side
// of these tests scripts.

import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test as base, expect, type Page } from '@playwright/test';

const binary = process.env.AUTHBRIDGE ?? '../../bin/authbridge';

/** The daemon, with its virtual card and key and nothing else. */
export class Daemon {
  readonly folder = mkdtempSync(join(tmpdir(), 'ab-page-'));
  readonly state = join(this.folder, 'state');
  url = '';
  #process?: ChildProcess;

  async start(listen = '127.0.0.1:0'): Promise<void> {
    // The port beside one that is named may be anybody's: the mock takes a free one.
    const config = join(this.folder, 'config.toml');
    writeFileSync(config, 'virtual = "on"\nphysical = "off"\n[mock]\nlisten = "localhost:0"\n');
    const daemon = spawn(binary, ['run', '--config', config, '--state-dir', this.state, '--listen', listen], { env: this.env(), stdio: ['ignore', 'pipe', 'ignore'] });
    this.#process = daemon;
    for await (const line of createInterface(daemon.stdout!)) {
      if (line.startsWith('listening on ')) {
        this.url = line.slice('listening on '.length);
        return;
      }
    }
    throw new Error('the daemon did not start');
  }

  get port(): string { return new URL(this.url).port; }

  env(more: Record<string, string> = {}): NodeJS.ProcessEnv {
    return { ...process.env, HOME: this.folder, XDG_RUNTIME_DIR: this.folder, AUTHBRIDGE_URL: '', AUTHBRIDGE_TOKEN: '', ...more };
  }

  /** Runs a command of authbridge. */
  cli(...args: string[]): string {
    return execFileSync(binary, [...args, '--state-dir', this.state], { env: this.env(), encoding: 'utf8' }).trim();
  }

  /** Runs one that goes on for a while. */
  begin(args: string[], more: Record<string, string> = {}): ChildProcess {
    return spawn(binary, [...args, '--state-dir', this.state], { env: this.env(more), stdio: ['ignore', 'pipe', 'pipe'] });
  }

  entrance(): string { return this.cli('open', '--print'); }

  async stop(): Promise<void> {
    const daemon = this.#process;
    if (!daemon || daemon.exitCode !== null) return;
    const ended = new Promise((resolve) => daemon.once('exit', resolve));
    daemon.kill('SIGTERM');
    await ended;
  }

  async end(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A world with scripted keys. */
export class World {
  private constructor(readonly id: string, readonly url: string, readonly token: string) {}

  static async make(keys: number, hostile = ''): Promise<World> {
    const made = await ask(`/worlds?keys=${keys}&hostile=${encodeURIComponent(hostile)}`);
    return new World(made.id, made.url, made.token);
  }

  /** Changes the fifth key that often; gives the events that came of it. */
  flip(times: number): Promise<{ epoch: string; first: number; last: number }> {
    return ask(`/worlds/${this.id}/flip?times=${times}`);
  }

  /** The targets that somebody was interested in. */
  asked(): Promise<string[]> {
    return ask(`/worlds/${this.id}/asked`);
  }

  async entrance(): Promise<string> {
    const answer = await fetch(this.url + '/v1/pages', { method: 'POST', headers: { Authorization: `Bearer ${this.token}`, 'Content-Type': 'application/json' } });
    const { url, code } = await answer.json();
    return `${url}#code=${code}`;
  }
}

async function ask(path: string): Promise<any> {
  const answer = await fetch(process.env.STAGE + path, { method: 'POST' });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

export const live = (page: Page) => expect(page.locator('#connection')).toHaveText('live');

export const test = base.extend<{ daemon: Daemon; complaints: string[] }>({
  daemon: async ({}, use) => {
    const daemon = new Daemon();
    try {
      await daemon.start();
      await use(daemon);
    } finally {
      await daemon.end();
    }
  },
  // A page that breaks its own policy, or throws, fails whatever else it does.
  complaints: [async ({ page }, use) => {
    const said: string[] = [];
    page.on('pageerror', (error) => said.push(error.message));
    page.on('console', (message) => { if (/Content Security Policy|TrustedHTML|Refused to/.test(message.text())) said.push(message.text()); });
    await use(said);
    expect(said).toEqual([]);
  }, { auto: true }],
});

export { expect };
