// A loss curve as SVG: training loss (each point and its running mean), validation loss, baselines as dashed lines.
import { scaleLinear } from 'd3-scale';
import { line } from 'd3-shape';
import { escapeHtml } from './escape-html.ts';
import type { Curve, CurvePoint } from './report.ts';
import { humanName } from './report.ts';

const width = 720;
const height = 320;
const margin = { top: 12, right: 120, bottom: 40, left: 52 };
const smoothing = 0.9;

/** Exponential running mean, corrected for its start (as Adam's moments are). */
export function runningMean(points: CurvePoint[], decay: number = smoothing): CurvePoint[] {
  let sum = 0;
  let weight = 0;
  return points.map(({ step, value }) => {
    sum = decay * sum + (1 - decay) * value;
    weight = decay * weight + (1 - decay);
    return { step, value: sum / weight };
  });
}

export function lossPlot({ title, train, validation, baselines }: Curve): string {
  const steps = [...train, ...validation].map((point) => point.step);
  const values = [...train, ...validation].map((point) => point.value);
  const shownBaselines = Object.entries(baselines).filter(([, value]) => value <= Math.max(...values) * 1.05);
  const x = scaleLinear([0, Math.max(1, ...steps)], [margin.left, width - margin.right]);
  const lowest = Math.min(...values, ...shownBaselines.map(([, value]) => value));
  const y = scaleLinear([Math.max(0, lowest * 0.9), Math.max(...values)], [height - margin.bottom, margin.top]).nice();
  const path = line<CurvePoint>(
    (point) => x(point.step),
    (point) => y(point.value),
  );
  const right = width - margin.right;
  const labels = placeLabels([
    ...shownBaselines.map(([name, value]) => ({ text: humanName(name), y: y(value), css: 'baseline' })),
    ...lastLabel('train', runningMean(train), y, 'train'),
    ...lastLabel('validation', validation, y, 'validation'),
  ]);
  return [
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(title)}: loss over steps">`,
    ...y.ticks(6).map((tick) => gridLine(tick, y(tick))),
    ...x
      .ticks(6)
      .map((tick) => `<text class="tick" x="${x(tick)}" y="${height - 22}" text-anchor="middle">${tick}</text>`),
    `<text class="axis" x="${(margin.left + right) / 2}" y="${height - 4}" text-anchor="middle">step</text>`,
    `<text class="axis" transform="translate(12 ${height / 2}) rotate(-90)" text-anchor="middle">loss, nats</text>`,
    ...shownBaselines.map(
      ([, value]) => `<line class="baseline" x1="${margin.left}" x2="${right}" y1="${y(value)}" y2="${y(value)}"/>`,
    ),
    `<path class="train faint" d="${path(train) ?? ''}"/>`,
    `<path class="train" d="${path(runningMean(train)) ?? ''}"/>`,
    `<path class="validation" d="${path(validation) ?? ''}"/>`,
    ...validation.map((point) => `<circle class="validation" cx="${x(point.step)}" cy="${y(point.value)}" r="2.5"/>`),
    ...labels.map(
      (label) =>
        `<text class="label ${label.css}" x="${right + 8}" y="${label.y + 4}">${escapeHtml(label.text)}</text>`,
    ),
    '</svg>',
  ].join('\n');
}

interface Label {
  text: string;
  y: number;
  css: string;
}

function lastLabel(name: string, points: CurvePoint[], y: (value: number) => number, css: string): Label[] {
  const last = points.at(-1);
  return last ? [{ text: `${name} ${last.value.toFixed(3)}`, y: y(last.value), css }] : [];
}

/** Moves labels apart, so that none covers another, and back up where they would leave the plot. */
function placeLabels(labels: Label[]): Label[] {
  const apart = 15;
  const bottom = height - margin.bottom;
  let highest = Number.NEGATIVE_INFINITY;
  const spread = labels
    .sort((a, b) => a.y - b.y)
    .map((label) => {
      highest = Math.max(label.y, highest + apart);
      return { ...label, y: highest };
    });
  const tooLow = Math.max(0, highest - bottom);
  return spread.map((label) => ({ ...label, y: label.y - tooLow }));
}

const gridLine = (tick: number, at: number): string =>
  `<line class="grid" x1="${margin.left}" x2="${width - margin.right}" y1="${at}" y2="${at}"/>` +
  `<text class="tick" x="${margin.left - 8}" y="${at + 4}" text-anchor="end">${tick}</text>`;
