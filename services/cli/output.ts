// What a command prints: text for people, one JSON value for programs (--json). Progress goes to stderr, results to stdout.
import { MultiBar, Presets } from 'cli-progress';
import type { Progress } from '#lib/contracts/gen/strata/common/v1/common.ts';

/** Where a command writes. `json` is true under --json: then `result` prints JSON and nothing else reaches stdout. */
export interface Output {
  readonly json: boolean;
  /** The command's one result: JSON under --json, otherwise what `render` makes of it. */
  result<T>(value: T, render: (value: T) => string): void;
  /** One event of an endless command: a JSON line under --json, otherwise a line of text. */
  event<T>(value: T, render: (value: T) => string): void;
  /** Raw text as it is made (a streamed answer). */
  text(part: string): void;
  /** A remark for the person, on stderr; silent under --json. */
  note(line: string): void;
  /** A progress bar on stderr (lines where stderr is no terminal; silent under --json). */
  progress(title: string): ProgressBar;
}

export interface ProgressBar {
  /** @param detail free text at the end of the bar, such as `loss 2.31 · 12,300 tokens/s` */
  update(progress: Progress | undefined, detail?: string): void;
  done(detail?: string): void;
  /** The work has failed: the bar stays where it is. */
  stop(): void;
}

const silentBar: ProgressBar = { update: () => {}, done: () => {}, stop: () => {} };
const lineEveryMs = 5000;

export interface OutputOptions {
  json: boolean;
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
}

export function createOutput({ json, stdout, stderr }: OutputOptions): Output {
  const print = (value: unknown, text: string) => stdout.write(json ? `${JSON.stringify(value)}\n` : `${text}\n`);
  return {
    json,
    result: (value, render) => print(value, json ? '' : render(value)),
    event: (value, render) => print(value, json ? '' : render(value)),
    text: (part) => stdout.write(part),
    note: (line) => {
      if (!json) stderr.write(`${line}\n`);
    },
    progress: (title) => {
      if (json) return silentBar;
      return stderr.isTTY ? terminalBar(title, stderr) : lineBar(title, stderr);
    },
  };
}

function terminalBar(title: string, stream: NodeJS.WriteStream): ProgressBar {
  const bars = new MultiBar(
    { stream, hideCursor: true, clearOnComplete: false, format: '{title} {bar} {percentage}% {detail}', barsize: 24 },
    Presets.shades_classic,
  );
  const bar = bars.create(100, 0, { title: title.padEnd(28), detail: '' });
  let last = '';
  return {
    update(progress, detail) {
      last = describe(progress, detail);
      bar.update(Math.floor(share(progress) * 100), { detail: last });
    },
    done(detail) {
      bar.update(100, { detail: detail ?? last });
      bars.stop();
    },
    stop: () => bars.stop(),
  };
}

/** Where stderr is a file or a pipe: a line at the start, one every few seconds, one at the end. */
function lineBar(title: string, stream: NodeJS.WriteStream): ProgressBar {
  let lastAt = 0;
  let last = '';
  return {
    update(progress, detail) {
      last = describe(progress, detail);
      const now = performance.now();
      if (lastAt && now - lastAt < lineEveryMs) return;
      lastAt = now;
      stream.write(`${title}: ${Math.floor(share(progress) * 100)}% ${last}\n`);
    },
    done: (detail) => {
      stream.write(`${title}: done ${detail ?? last}\n`);
    },
    stop: () => {},
  };
}

const share = (progress: Progress | undefined): number =>
  progress?.total ? Math.min(1, progress.done / progress.total) : 0;

function describe(progress: Progress | undefined, detail = ''): string {
  if (!progress) return detail;
  const { phase, done, total, unit, remainingSeconds } = progress;
  const count = total
    ? `${formatCount(done)}/${formatCount(total)} ${unit}`
    : done
      ? `${formatCount(done)} ${unit}`
      : '';
  const left = remainingSeconds > 0 ? `${formatSeconds(remainingSeconds)} left` : '';
  return [phase, count, detail, left].filter(Boolean).join(' · ');
}

export const formatCount = (value: number): string => Math.round(value).toLocaleString('en-US');

export function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 10 && unit ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** Rows as aligned columns under a header; `nothing` is said where there are no rows. */
export function table(header: string[], rows: string[][], nothing: string): string {
  if (!rows.length) return nothing;
  const lines = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** `key  value` lines, the empty values left out. */
export function fields(entries: Record<string, string | number | undefined>): string {
  const shown = Object.entries(entries).filter(([, value]) => value !== undefined && value !== '');
  const width = Math.max(0, ...shown.map(([key]) => key.length));
  return shown.map(([key, value]) => `${key.padEnd(width)}  ${value}`).join('\n');
}
