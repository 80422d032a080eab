// The report for a ticket or a chat: all that the page shows, as text. Names of
// people are not in it, for the page has none.

import { words } from './model.js';
import { outcomeWord } from './view/verdicts.js';

export function report(model, verdicts, session) {
  const lines = [`authbridge ${session.version}, ${new Date().toISOString()}, snapshot ${model.id.epoch}-${model.id.seq}`, ''];
  for (const v of verdicts.values()) lines.push(`AAL${v.aal} at ${v.target}: ${outcomeWord[v.outcome]}. ${v.summary}`);
  lines.push('', 'Sources');
  for (const s of model.sources.values()) lines.push(`  ${s.name}: ${[s.state, s.code, s.detail].filter(Boolean).join(', ')}`);
  lines.push('', 'Readers');
  for (const r of model.readers.values()) lines.push(`  ${r.name} (${r.origin}): ${[words[r.condition] ?? r.condition, r.code, r.detail].filter(Boolean).join(', ')}`);
  lines.push('', 'Authenticators');
  for (const a of model.authenticators.values()) {
    lines.push(`  ${a.name} (${a.origin} ${a.kind}): ${[words[a.condition] ?? a.condition, a.code, a.detail].filter(Boolean).join(', ')}`);
    checks(lines, '    ', a.checks);
  }
  lines.push('', 'Machine');
  checks(lines, '  ', [...model.checks.values()]);
  lines.push('', 'Leases');
  for (const l of model.leases.values()) lines.push(`  ${[l.id, l.state, l.name, l.holder, l.purpose, l.waiting].filter(Boolean).join(', ')}`);
  return lines.join('\n') + '\n';
}

function checks(lines, indent, list) {
  for (const c of list ?? []) {
    lines.push(`${indent}${c.state} ${c.code}${c.nhs_code ? ` (${c.nhs_code})` : ''}: ${c.evidence}`);
    if (c.state !== 'pass' && c.remedy) lines.push(`${indent}  → ${c.remedy}`);
    if (c.mend) lines.push(...c.mend.split('\n').map((command) => `${indent}    ${command}`));
  }
}
