package mockcis2

const style asset = `
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --soft: #50575f; --line: #737b84; --rule: #d5dae0; --act: #0b57a4; --on-act: #fff; --bad: #a3160f; --ring: #0b57a4; --band: #eef1f4 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #eceff2; --paper: #15181c; --soft: #b3bbc4; --line: #8b949e; --rule: #343b43; --act: #8cc2ff; --on-act: #0a1420; --bad: #ff9d94; --ring: #8cc2ff; --band: #20252b }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1.0625rem/1.5 system-ui, sans-serif }
header { background: var(--band); padding: .5rem 1.25rem; font-size: .95rem }
header p { margin: 0 auto; max-width: 34rem }
main { margin: 0 auto; max-width: 36.5rem; padding: 1rem 1.25rem 3rem }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .75rem 0; text-wrap: balance }
p { margin: .75rem 0; text-wrap: pretty }
label, legend { font-weight: 600; padding: 0 }
input[type=text] { display: block; width: 100%; max-width: 22rem; margin: .25rem 0 1.25rem; padding: .55rem .65rem; font: inherit; color: inherit; background: var(--paper); border: 2px solid var(--line); border-radius: .3rem }
fieldset { border: 0; margin: 0 0 1.25rem; padding: 0 }
.choice { position: relative; display: flex; align-items: center; min-height: 2.75rem; padding-left: 2.25rem; border-bottom: 1px solid var(--rule) }
.choice input { position: absolute; left: .15rem; top: .75rem; width: 1.25rem; height: 1.25rem; margin: 0; accent-color: var(--act) }
.choice label { flex: 1; font-weight: 500; padding: .6rem 1rem .6rem 0; cursor: pointer }
.long { display: block; padding-bottom: .6rem }
.long label { display: block; padding-bottom: 0 }
.long .hint { overflow-wrap: anywhere }
.hint { color: var(--soft); margin: 0; font-size: .95rem }
h1 + .hint { margin: -.25rem 0 1rem }
.problem { border-left: .3rem solid var(--bad); padding: .35rem .75rem; color: var(--bad); font-weight: 600 }
.actions { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1.25rem }
button { font: inherit; font-weight: 600; min-height: 2.75rem; padding: .5rem 1.1rem; border-radius: .3rem; border: 2px solid var(--act); background: var(--act); color: var(--on-act); cursor: pointer }
button.second { background: var(--paper); color: var(--act) }
a { color: var(--act) }
:focus-visible { outline: 3px solid var(--ring); outline-offset: 3px }
.reference, .secret { display: block; font: 600 2rem/1.3 ui-monospace, monospace; letter-spacing: .12em; overflow-wrap: anywhere; user-select: all; margin: .5rem 0 1rem }
.secret { font-size: 1.25rem; letter-spacing: .06em }
code { font-family: ui-monospace, monospace; overflow-wrap: anywhere }
[hidden] { display: none }
`

// script does what no form can: WebAuthn, and waiting without loading the page
// again.
const script asset = `
(() => {
  'use strict';
  const ceremony = document.getElementById('ceremony');
  if (ceremony) {
    const button = document.getElementById('use');
    const status = document.getElementById('status');
    button.hidden = false;
    button.addEventListener('click', async () => {
      status.textContent = 'Waiting for the authenticator.';
      button.disabled = true;
      try {
        const options = JSON.parse(ceremony.dataset.options);
        const made = ceremony.dataset.kind === 'create'
          ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })
          : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
        document.getElementById('response').value = JSON.stringify(made.toJSON());
        ceremony.submit();
      } catch (error) {
        status.textContent = error.name === 'NotAllowedError'
          ? 'The authenticator was not used in time, or it was refused. Try again.'
          : 'The browser says: ' + error.name + '. Try again.';
        button.disabled = false;
      }
    });
  }
  const waiting = document.getElementById('waiting');
  if (waiting) {
    const ask = async () => {
      try {
        const answer = await fetch(waiting.dataset.wait, { headers: { Accept: 'application/json' } });
        if (answer.ok && (await answer.json()).stage === 'smartcard') { setTimeout(ask, 100); return; }
        location.assign(waiting.dataset.page);
      } catch { setTimeout(ask, 3000); }
    };
    ask();
  }
})();
`
