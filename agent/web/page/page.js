// The page: gets in, asks once what there is, and follows what happens.

import { API, Gone, Problem } from './api.js';
import { $, coalesced, mark, put, show } from './dom.js';
import { follow } from './events.js';
import { Model, overall } from './model.js';
import { report } from './report.js';
import * as session from './session.js';
import { Bench } from './view/bench.js';
import { Machine } from './view/checks.js';
import { Devices } from './view/devices.js';
import { asks, leaseRows, Logins, promptRows } from './view/lines.js';
import { at } from './view/time.js';
import { Timeline } from './view/timeline.js';
import { levels, Verdicts } from './view/verdicts.js';

const history = 200; // events from before the page was opened
const waits = [500, 1000, 2000, 4000]; // between looks for a daemon that has gone

const model = new Model();
const verdicts = new Map();
let api;
let open; // the session

const announce = (text) => put($('announce'), text);
const view = {
  verdicts: new Verdicts(verdicts, announce, cared),
  devices: new Devices(model),
  checks: new Machine(),
  leases: leaseRows(),
  logins: new Logins(saveReport),
  prompts: promptRows(Object.assign(touch, { allowed: () => open.virtual && open.rights.includes('virtual') })),
  timeline: new Timeline(),
  bench: new Bench(),
};

// What is to be shown at the next picture: rows that changed, and events.
let changed = new Map();
let happened = [];
const paint = coalesced(() => {
  const [rows, events] = [changed, happened];
  [changed, happened] = [new Map(), []];
  for (const [what, key] of rows.values()) showRow(what, key);
  for (const event of events) view.timeline.add(event);
  headline();
});

function showRow(what, key) {
  switch (what) {
    case 'readers': return view.devices.reader(key);
    case 'authenticators': return key && view.devices.authenticator(key);
    case 'checks': return view.checks.set(key, model.checks.get(key));
    case 'leases': return view.leases.set(key, model.leases.get(key));
    case 'logins': return view.logins.set(key, model.logins.get(key));
    case 'ceremonies': return view.prompts.set(key, asks(model.ceremonies.get(key)) ? model.ceremonies.get(key) : undefined);
  }
}

function showAll() {
  view.devices.all();
  view.checks.all(model.checks);
  view.leases.all(model.leases);
  view.prompts.all(new Map([...model.ceremonies].filter(([, c]) => asks(c))));
  view.logins.all(model.logins);
  headline();
}

function headline() {
  if (!verdicts.size || document.body.dataset.state === 'gone') return;
  const { state, title, why } = overall(model, verdicts);
  stand(state);
  put($('headline'), title);
  put($('headline-why'), why);
}

const marks = { ready: 'pass', attention: 'warn', not_ready: 'fail' };
const titles = { ready: 'Ready', attention: 'Attention', not_ready: 'Not ready', gone: 'Not running', entry: 'Not open' };

/** Shows the state of all: by icon, title and mark. */
function stand(state) {
  if (document.body.dataset.state === state) return;
  document.body.dataset.state = state;
  const known = state in marks ? state : 'off';
  $('icon').href = `/assets/pic/${known}.svg`;
  document.title = `${titles[state]} · authbridge`;
  for (const id of ['brand-mark', 'headline-mark']) mark($(id), 'href', `#mark-${marks[state] ?? 'off'}`);
}

// Verdicts are asked for again once something changed that they may rest on,
// and never twice at a time.
const judged = new Set(['sources', 'readers', 'authenticators', 'checks']);
let asking = false;
let askAgain = false;
const judge = coalesced(async () => {
  if (asking) {
    askAgain = true;
    return;
  }
  asking = true;
  try {
    await judgeAll();
  } catch (error) {
    if (!(error instanceof Gone || error instanceof Problem)) throw error;
  } finally {
    asking = false;
    if (askAgain) {
      askAgain = false;
      judge();
    }
  }
});

const question = (aal, target) => `/v1/readiness?aal=${aal}&target=${encodeURIComponent(target)}`;

/** Asks for all verdicts, by what is known: that a page is open calls no sign-in service. */
async function judgeAll() {
  const questions = open.targets.flatMap((target) => levels.map((aal) => `${question(aal, target)}&look=false`));
  for (const verdict of await Promise.all(questions.map((q) => api.get(q)))) view.verdicts.set(verdict);
  headline();
}

/** Somebody chose a verdict: its target is looked at, and events say what is seen. */
async function cared(aal, target) {
  try {
    view.verdicts.set(await api.get(question(aal, target)));
  } catch (error) {
    if (!(error instanceof Gone || error instanceof Problem)) throw error;
  }
}

// An event of a reader does not say what to do about it; the snapshot does.
const remedies = coalesced(async () => {
  try {
    for (const reader of (await api.get('/v1/status')).readers) {
      const shown = model.readers.get(reader.id);
      if (!shown || shown.condition !== reader.condition) continue;
      shown.checks = reader.checks;
      view.devices.reader(reader.id);
    }
  } catch (error) {
    if (!(error instanceof Gone || error instanceof Problem)) throw error;
  }
});

/** Some events were missed: all is asked for anew. */
class Behind extends Error {}

function hear({ type, data }) {
  if (type === 'truncated' || type === 'snapshot') throw new Behind();
  happened.push(data);
  if (!model.has(data)) {
    for (const change of model.apply(data)) {
      changed.set(change.join(' '), change);
      if (judged.has(change[0])) judge();
      if (change[0] === 'readers' || change[0] === 'authenticators') look();
    }
    if (data.reader?.code) remedies();
  }
  paint();
}

const look = coalesced(() => { if (benchOn()) view.bench.look(); });
const benchOn = () => open.virtual && open.rights.includes('virtual');

async function touch(authenticator) {
  await view.bench.look();
  const device = view.bench.deviceOf(authenticator);
  if (device) await view.bench.touch(device.name);
}

/** Saves a report as a file. It is not shown here: it is a page of its own. */
async function saveReport(id, form) {
  try {
    const response = await api.ask('GET', `/v1/logins/${encodeURIComponent(id)}/report?format=${form}`);
    await save(response, `${id}.${{ html: 'html', junit: 'xml', json: 'json' }[form]}`);
  } catch (error) {
    announce(error.message);
  }
}

/** Saves a file for a ticket: all that the daemon tells of itself. */
async function saveBundle() {
  try {
    const response = await api.ask('GET', '/v1/bundle');
    await save(response, `authbridge-bundle-${new Date().toISOString().replace(/\W|\d{3}Z/g, '')}.zip`);
    announce('The support bundle is saved.');
    said($('bundle'), 'Saved');
  } catch (error) {
    announce(error.message);
  }
}

async function save(response, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(await response.blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

async function copyReport() {
  const text = report(model, verdicts, open);
  try {
    await navigator.clipboard.writeText(text);
    announce('The report is in the clipboard.');
    said($('copy'), 'Copied');
  } catch {
    $('report-text').value = text;
    $('report').showModal();
    $('report-text').select();
  }
}

/** Has a button say something for a moment. */
function said(button, word) {
  const was = button.dataset.word ?? button.textContent;
  button.dataset.word = was;
  put(button, word);
  setTimeout(() => put(button, was), 2000);
}

/** Says how to get in. What was shown goes: its session is over. */
function entry(title, why) {
  session.forget();
  model.reset({ id: '-0' });
  model.ceremonies.clear();
  model.logins.clear();
  verdicts.clear();
  view.timeline.clear();
  showAll();
  show($('live'), false);
  show($('copy'), false);
  show($('bundle'), false);
  show($('entry'), true);
  put($('entry-title'), title);
  put($('entry-why'), why);
  put($('connection'), '');
  put($('version'), '');
  stand('entry');
}

function gone(since) {
  stand('gone');
  put($('headline'), 'Not running');
  put($('headline-why'), `authbridge does not answer; this page looks again by itself. If it was stopped, start it with “authbridge service start”, or “authbridge run” where nothing manages services, and open the page anew with “authbridge open”. What is below is as of ${at(since)}.`);
  put($('connection'), 'not running');
  $('live').dataset.stale = '';
}

/** Gets in by the code in the address, or by what this tab has from before. */
async function enter() {
  const code = session.takeCode();
  if (!code) return session.load();
  try {
    session.keep(await new API(code).send('POST', '/v1/pages/session'));
  } catch (error) {
    if (!(error instanceof Problem && session.load())) throw error; // an old address, in a tab that is in
  }
  return session.load();
}

/** Asks what there is, then follows what happens until that ends by an error. */
async function live() {
  const [status, ceremonies, logins] = await Promise.all(['/v1/status', '/v1/ceremonies', '/v1/logins'].map((path) => api.get(path)));
  model.reset(status);
  model.ceremonies = new Map(ceremonies.filter((c) => !c.ended_at).map((c) => [c.id, c]));
  model.logins = new Map(logins.reverse().slice(-50).map((l) => [l.id, l]));
  view.timeline.clear();
  view.verdicts.targets(open.targets);
  await judgeAll();
  show($('bench'), benchOn());
  if (benchOn()) await view.bench.look();
  delete $('live').dataset.stale;
  document.body.dataset.state = 'off'; // whatever it was, it is said anew
  showAll();
  show($('entry'), false);
  show($('live'), true);
  show($('copy'), true);
  show($('bundle'), true);
  put($('version'), status.version);
  put($('connection'), 'live');
  const { epoch, seq } = model.id;
  await follow(api, `${epoch}-${Math.max(0, seq - history)}`, hear);
}

async function run() {
  try {
    open = await enter();
  } catch (error) {
    return error instanceof Problem
      ? entry('This code has been used', 'A code is good once, and for a minute.')
      : entry('authbridge does not answer', 'Start it with “authbridge service start”, or “authbridge run” where nothing manages services.');
  }
  if (!open) return entry('This page is not open yet', 'Only who runs authbridge here may look at it.');
  api = new API(open.token);
  view.bench.use(api);
  let since = Date.now();
  for (let tries = 0; ; tries++) {
    try {
      await live();
    } catch (error) {
      if (error instanceof Problem && error.status === 401) {
        return entry('This page has ended', 'authbridge was started anew, or the page was not used for a long time.');
      }
      if (error instanceof Behind) continue;
      if (!(error instanceof Gone || error instanceof Problem)) throw error;
    }
    if (document.body.dataset.state !== 'gone') {
      since = Date.now();
      tries = 0;
    }
    gone(since);
    await new Promise((resolve) => setTimeout(resolve, waits[Math.min(tries, waits.length - 1)]));
  }
}

$('copy').addEventListener('click', copyReport);
$('bundle').addEventListener('click', saveBundle);
$('copy-command').addEventListener('click', () => navigator.clipboard.writeText('authbridge open').then(() => said($('copy-command'), 'Copied'), () => {}));
// A new address with a code, in this tab, begins anew.
addEventListener('hashchange', () => { if (location.hash.includes('code=')) location.reload(); });
run();
