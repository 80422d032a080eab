// What a test tells people: at once in its output, and in its attachments.

import type { TestInfo } from '@playwright/test';
import type { Ceremony, Lease, Problem, Verdict } from './wire.js';

/** One WebAuthn call of a page, or signature for one, and what has come of it so far. It holds no secret and no personal data. */
export interface CeremonyRecord {
  type: 'create' | 'get' | 'sign';
  /** Of the page. */
  origin: string;
  topOrigin?: string;
  rpId?: string;
  /** The name of the exception that the page got; absent where it got a credential. */
  exception?: string;
  /** Why the page wanted no answer any more. */
  withdrawn?: string;
  /** Why it failed and what to do, for a person. */
  failure?: string;
  problem?: Problem;
  /** What a person was asked to do. */
  prompts: string[];
  /** As the daemon tells it at its end; absent before, and where none began. */
  ceremony?: Omit<Ceremony, 'result' | 'prompt' | 'problem'>;
}

const prefix = 'authbridge: ';

/** A failure in one line. */
function failed({ type, failure, prompts }: CeremonyRecord): string {
  const asked = prompts.at(-1);
  return `${type} failed: ${failure}${asked ? ` [it had asked: ${asked}]` : ''}`;
}

export class Report {
  readonly records: CeremonyRecord[] = [];
  private readonly prompts = new Map<string, string[]>();
  private said = '';
  private ends: ((record: CeremonyRecord) => void)[] = [];

  constructor(private readonly info: Pick<TestInfo, 'attach'>, private readonly print: (line: string) => void = console.log) {}

  /** A line of the test's output. */
  say(line: string): void {
    this.print(prefix + line);
  }

  queued(lease: Lease): void {
    this.once(`place ${lease.position ?? '?'} in the queue${lease.waiting ? `: ${lease.waiting}` : ''}`);
  }

  /** Prints what a ceremony asks of a person, each time that it changes. */
  heard({ id, state, prompt, deadline }: Ceremony): void {
    if (!prompt) return;
    const told = this.promptsOf(id);
    if (told.at(-1) === prompt.text && !prompt.again) return;
    told.push(prompt.text);
    const left = deadline ? Math.round((Date.parse(deadline) - Date.now()) / 1000) : undefined;
    this.once(`${state}: ${prompt.text}${left === undefined ? '' : ` (${left} s left)`}`);
  }

  /** A call was made. Its record is filled in as it goes on. */
  began(call: Pick<CeremonyRecord, 'type' | 'origin' | 'topOrigin' | 'rpId'>): CeremonyRecord {
    const record: CeremonyRecord = { ...call, prompts: [] };
    this.records.push(record);
    return record;
  }

  /** The call has become a ceremony, whose prompts are the record's from now on. */
  became(record: CeremonyRecord, id: string): void {
    record.prompts = this.promptsOf(id);
  }

  /** The call is over. Why it failed is printed. */
  over(record: CeremonyRecord, how: Partial<CeremonyRecord>, ceremony: Ceremony | undefined): void {
    Object.assign(record, how);
    if (ceremony) {
      const { result: _result, prompt: _prompt, problem: _problem, ...rest } = ceremony;
      record.ceremony = rest;
    }
    if (record.failure) this.say(failed(record));
    for (const tell of this.ends) tell(record);
  }

  /** The next call of the sort that is over, unless the signal fires first. */
  next(which: (record: CeremonyRecord) => boolean, signal: AbortSignal): Promise<CeremonyRecord> {
    return new Promise((resolve) => {
      const forget = () => (this.ends = this.ends.filter((it) => it !== tell));
      const tell = (record: CeremonyRecord) => {
        if (!which(record)) return;
        forget();
        resolve(record);
      };
      this.ends.push(tell);
      signal.addEventListener('abort', forget, { once: true });
    });
  }

  /** Why calls failed, for a test that failed after them. */
  failures(): string {
    return this.records.filter((r) => r.failure).map((r) => prefix + failed(r)).join('\n');
  }

  async attach(verdict: Verdict, lease: Lease | undefined): Promise<void> {
    await this.json('authbridge-verdict', verdict);
    if (lease) await this.json('authbridge-ceremonies', { lease, ceremonies: this.records });
  }

  private promptsOf(id: string): string[] {
    const told = this.prompts.get(id) ?? [];
    this.prompts.set(id, told);
    return told;
  }

  private json(name: string, value: unknown): Promise<void> {
    return this.info.attach(name, { body: JSON.stringify(value, undefined, 2), contentType: 'application/json' });
  }

  private once(line: string): void {
    if (line !== this.said) this.say(line);
    this.said = line;
  }
}
