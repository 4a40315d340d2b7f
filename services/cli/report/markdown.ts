// The report card as Markdown.
import { beatsBaselines, formatScore, humanName, type Report, type ReportScore } from './report.ts';

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

const markdownTable = (header: string[], rows: string[][]): string =>
  [header, header.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n');

const scoreRow = (score: ReportScore): string[] => [
  humanName(score.task),
  humanName(score.metric),
  formatScore(score.value),
  Object.entries(score.baselines)
    .map(([name, value]) => `${humanName(name)} ${formatScore(value)}`)
    .join(', '),
  Object.keys(score.baselines).length ? (beatsBaselines(score) ? 'yes' : 'no') : '',
  score.count.toLocaleString('en-US'),
];

const fence = (text: string): string => `\`\`\`\`text\n${text}\n\`\`\`\``;

export function toMarkdown(report: Report): string {
  const { confusion } = report;
  const parts = [
    `# ${report.title}`,
    report.summary,
    '## Scores',
    markdownTable(['task', 'metric', 'value', 'baselines', 'better than all', 'count'], report.scores.map(scoreRow)),
    ...(confusion
      ? [
          '### Confusion matrix',
          markdownTable(
            ['true \\ predicted', ...confusion.labels],
            confusion.labels.map((label, row) => [
              label,
              ...confusion.labels.map((_, column) =>
                String(confusion.counts[row * confusion.labels.length + column] ?? 0),
              ),
            ]),
          ),
        ]
      : []),
    '## Samples',
    ...report.samples.flatMap(({ title, prompt, text, reference }) => [
      `**${title}**`,
      fence(`${prompt}${text ? `\n→ ${text}` : ''}${reference ? `\n(asked for: ${reference})` : ''}`),
    ]),
    '## Stages',
    markdownTable(
      ['stage', 'result', 'seconds'],
      report.stages.map(({ title, detail, seconds }) => [title, detail, seconds.toFixed(1)]),
    ),
    '## Provenance',
    markdownTable(['what', 'value'], Object.entries(report.provenance)),
    `Made on ${report.date}. Curves are in the HTML report beside this file.`,
  ];
  return `${parts.join('\n\n')}\n`;
}
