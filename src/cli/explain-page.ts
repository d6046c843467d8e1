import type { ExplainedOperation } from '../base/explanation.ts';
import type { Advice } from './explain-advice.ts';
import { durationText, timelineRows, type TimelineRow } from './explain-timeline.ts';

/** What a page shows, in words and timelines. */
export interface Page {
  /** `pod shop/web-1`. */
  readonly title: string;
  /** What is wrong, and what to look at. */
  readonly advice: readonly Advice[];
  readonly parts: readonly PagePart[];
}

/** An object, or a group of pulls. */
export interface PagePart {
  readonly title: string;
  /** What it is now: its state, its end. */
  readonly facts: readonly (readonly [string, string])[];
  readonly operations: readonly ExplainedOperation[];
}

/** Colours with enough contrast on white and on near black; what a colour says, words and patterns say too. */
const STYLE = `
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --line: #d0d7de; --faint: #57606a; --bar: #2f6fba; --bad: #b3261e; --wait: #8a5a00; --back: #f3f5f7; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0f1318; --line: #39424d; --faint: #9aa5b1; --bar: #5b9bea; --bad: #ff8a80; --wait: #e0a84a; --back: #1a2027; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 1.2rem; background: var(--paper); color: var(--ink); font: 15px/1.45 system-ui, sans-serif; overflow-wrap: anywhere; }
main { max-width: 76rem; margin: 0 auto; }
h1 { font-size: 1.35rem; margin: 0 0 .6rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .4rem; }
h3 { font-size: 1rem; margin: 1.3rem 0 .4rem; display: flex; flex-wrap: wrap; gap: .2rem .9rem; align-items: baseline; }
h3 small { color: var(--faint); font-weight: normal; font-size: .85rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem .9rem; margin: 0; }
dt { color: var(--faint); } dd { margin: 0; }
.advice { border-left: 4px solid var(--bad); background: var(--back); padding: .6rem .8rem; margin: .9rem 0; }
.advice p { margin: 0; } .advice p + p { color: var(--faint); margin-top: .25rem; }
.row { display: grid; grid-template-columns: minmax(9rem, 30%) 5.5rem 1fr; gap: .6rem; align-items: center; padding: .12rem 0; border-top: 1px solid var(--line); }
.row .time { text-align: right; font-variant-numeric: tabular-nums; }
.track { position: relative; height: .8rem; background: var(--back); }
.bar { position: absolute; top: 0; bottom: 0; min-width: 2px; background: var(--bar); }
.failed .bar { background: var(--bad); } .waits .bar { background: repeating-linear-gradient(135deg, var(--wait) 0 5px, transparent 5px 8px); }
.failed .name, .bad { color: var(--bad); } .waits .name { color: var(--wait); }
p.waits { margin: .3rem 0; }
.note .name { color: var(--faint); } .note .bar { width: 2px; background: var(--faint); }
pre { white-space: pre-wrap; background: var(--back); padding: .5rem .7rem; margin: .4rem 0 0; color: var(--bad); font-size: .85rem; }
@media (max-width: 40rem) { body { padding: .7rem; } .row { grid-template-columns: 1fr max-content; } .row .track { grid-column: 1 / -1; } }
`;

/** One page that stands alone: no script, nothing from elsewhere. */
export function pageHtml({ title, advice, parts }: Page): string {
  const told = advice.map(({ words, lookAt }) => `<div class="advice"><p>${text(words)}</p><p>Look at: ${text(lookAt)}</p></div>`);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${text(title)}</title><style>${STYLE}</style></head>
<body><main><h1>${text(title)}</h1>
${told.join('\n')}
${parts.map(partHtml).join('\n')}
</main></body></html>
`;
}

function partHtml({ title, facts, operations }: PagePart): string {
  const list = facts.map(([name, value]) => `<dt>${text(name)}</dt><dd>${text(value)}</dd>`);
  return `<section><h2>${text(title)}</h2><dl>${list.join('\n')}</dl>
${operations.map(operationHtml).join('\n')}</section>`;
}

function operationHtml(operation: ExplainedOperation): string {
  const { what, startedAt, durationMs, isUnderWay, error, rpc, requestId, waits } = operation;
  const length = durationText(durationMs);
  const ended = error === undefined ? `took ${length}` : `<span class="bad">failed after ${length}</span>`;
  const end = isUnderWay ? `under way for ${length}` : ended;
  const asked = rpc === undefined ? '' : `<small>${text(`${rpc} ${requestId ?? ''}`)}</small>`;
  const rows = timelineRows(operation).map((row) => rowHtml(row, durationMs));
  const waited = waits.map(
    (wait) => `<p class="waits"><span class="name">${text([wait.what, wait.words].filter((each) => each !== '').join(': '))}</span></p>`,
  );
  const failure = error === undefined ? '' : `<pre>${text(error)}</pre>`;
  return `<h3>${text(what)} <span>${end}</span><small>${text(startedAt)}</small>${asked}</h3>${rows.join('\n')}${waited.join('\n')}${failure}`;
}

function rowHtml({ kind, depth, words, startMs, endMs, state }: TimelineRow, lengthMs: number): string {
  const kinds = [kind, ...(state === 'failed' ? ['failed'] : state === 'under way' ? ['waits'] : [])].join(' ');
  const time = kind === 'note' ? `at ${durationText(startMs)}` : durationText(endMs - startMs);
  const place = `left:${percent(startMs, lengthMs)}%;${kind === 'note' ? '' : `width:${percent(endMs - startMs, lengthMs)}%`}`;
  const figures = `data-start-ms="${startMs}" data-ms="${endMs - startMs}"`;
  const bar = kind === 'rest' ? '' : `<div class="track"><div class="bar" style="${place}" ${figures}></div></div>`;
  const name = `${text(words)}${state === 'ended' ? '' : ` (${state})`}`;
  return `<div class="row ${kinds}"><div class="name" style="padding-left:${Math.min(depth, 6) * 0.9}rem">${name}</div><div class="time">${time}</div>${bar}</div>`;
}

/** Of a whole, with two digits; never outside of it. */
function percent(partMs: number, wholeMs: number): string {
  return wholeMs <= 0 ? '0' : String(Math.round(Math.min(Math.max(partMs / wholeMs, 0), 1) * 10_000) / 100);
}

/** Words of programs, registries and people, as text of a page and of an attribute. */
function text(words: string): string {
  return words
    .replaceAll(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`)
    .replaceAll(/[\p{Cc}]/gu, (control) => (control === '\n' ? control : '\ufffd'));
}
