// The report card as one HTML page: no script, no network, light and dark.
import { escapeHtml } from './escape-html.ts';
import { lossPlot } from './loss-plot.ts';
import { beatsBaselines, formatScore, humanName, type Report, type ReportScore } from './report.ts';

const htmlTable = (header: string[], rows: string[][], css = ''): string => {
  const cells = (tag: string, row: string[]) => `<tr>${row.map((text) => `<${tag}>${text}</${tag}>`).join('')}</tr>`;
  return `<div class="scroll"><table class="${css}"><thead>${cells('th', header)}</thead><tbody>${rows.map((row) => cells('td', row)).join('\n')}</tbody></table></div>`;
};

/** A bar for the value and a thinner one for each baseline, on one scale. */
function bars({ value, baselines }: ReportScore): string {
  const most = Math.max(value, ...Object.values(baselines));
  if (!Number.isFinite(most) || most <= 0) return '';
  const bar = (name: string, size: number, css: string) =>
    `<div class="bar ${css}"><i style="width:${((100 * size) / most).toFixed(1)}%"></i><span>${escapeHtml(humanName(name))} ${formatScore(size)}</span></div>`;
  return [
    bar('model', value, 'model'),
    ...Object.entries(baselines).map(([name, size]) => bar(name, size, 'base')),
  ].join('');
}

const scoreRow = (score: ReportScore): string[] => [
  escapeHtml(humanName(score.task)),
  escapeHtml(humanName(score.metric)),
  `<b>${formatScore(score.value)}</b>`,
  bars(score),
  Object.keys(score.baselines).length ? (beatsBaselines(score) ? 'better' : 'not better') : '',
  score.count.toLocaleString('en-US'),
];

export function toHtml(report: Report): string {
  const { confusion } = report;
  const parts = [
    `<h1>${escapeHtml(report.title)}</h1>`,
    `<p>${escapeHtml(report.summary)}</p>`,
    '<h2>Scores</h2>',
    htmlTable(['task', 'metric', 'value', 'beside its baselines', '', 'count'], report.scores.map(scoreRow), 'scores'),
    ...(confusion ? ['<h3>Confusion matrix</h3>', confusionTable(confusion)] : []),
    '<h2>Loss</h2>',
    ...report.curves.map((curve) => `<h3>${escapeHtml(curve.title)}</h3>${lossPlot(curve)}`),
    '<h2>Samples</h2>',
    ...report.samples.map(
      ({ title, prompt, text, reference }) =>
        `<figure><figcaption>${escapeHtml(title)}</figcaption><pre><span class="prompt">${escapeHtml(prompt)}</span>${escapeHtml(text)}</pre>${reference ? `<p class="note">asked for: ${escapeHtml(reference)}</p>` : ''}</figure>`,
    ),
    '<h2>Stages</h2>',
    htmlTable(
      ['stage', 'result', 'seconds'],
      report.stages.map((stage) => [escapeHtml(stage.title), escapeHtml(stage.detail), stage.seconds.toFixed(1)]),
    ),
    '<h2>Provenance</h2>',
    htmlTable(
      ['what', 'value'],
      Object.entries(report.provenance).map(([name, value]) => [escapeHtml(name), `<code>${escapeHtml(value)}</code>`]),
    ),
    `<p class="note">Made on ${escapeHtml(report.date)}.</p>`,
  ];
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(report.title)}</title><style>${style}</style></head><body><main>\n${parts.join('\n')}\n</main></body></html>\n`;
}

const confusionTable = ({ labels, counts }: { labels: string[]; counts: number[] }): string =>
  htmlTable(
    ['true \\ predicted', ...labels.map(escapeHtml)],
    labels.map((label, row) => [
      escapeHtml(label),
      ...labels.map((_, column) => String(counts[row * labels.length + column] ?? 0)),
    ]),
  );

const style = `
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #68717d; --line: #d9dee4; --page: #ffffff; --card: #f5f7f9; --train: #2563c9; --validation: #c2410c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --soft: #98a2ae; --line: #333a43; --page: #14171b; --card: #1d2126; --train: #6ea8fe; --validation: #fb923c; } }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 860px; margin: 0 auto; padding: 24px 20px 64px; }
h1 { font-size: 28px; margin: 8px 0; } h2 { font-size: 20px; margin: 36px 0 8px; } h3 { font-size: 16px; margin: 20px 0 4px; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: 14px; }
th { text-align: left; color: var(--soft); font-weight: 500; } th, td { padding: 6px 10px 6px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
table.scores td:nth-child(4) { min-width: 260px; }
.bar { position: relative; height: 17px; margin: 1px 0; } .bar i { position: absolute; inset: 2px auto 2px 0; border-radius: 2px; background: var(--line); }
.bar.model i { background: var(--train); opacity: .45; } .bar span { position: relative; padding-left: 6px; font-size: 12px; line-height: 17px; }
svg { width: 100%; height: auto; } svg text { font-size: 12px; fill: var(--soft); } svg path { fill: none; stroke-width: 1.8; } svg .grid { stroke: var(--line); stroke-width: 1; }
svg .baseline { stroke: var(--soft); stroke-dasharray: 4 4; } svg path.train { stroke: var(--train); } svg path.faint { opacity: .3; stroke-width: 1; } svg path.validation { stroke: var(--validation); }
svg circle.validation { fill: var(--validation); } svg text.train { fill: var(--train); stroke: none; } svg text.validation { fill: var(--validation); stroke: none; } svg text.baseline { stroke: none; }
figure { margin: 12px 0; } figcaption { color: var(--soft); font-size: 14px; } pre { background: var(--card); padding: 12px; border-radius: 6px; white-space: pre-wrap; overflow-wrap: anywhere; margin: 4px 0; font-size: 13px; }
.prompt { color: var(--soft); } .note { color: var(--soft); font-size: 14px; } code { overflow-wrap: anywhere; font-size: 13px; }
`;
