// Shows how far a fetch has come: one line that is drawn anew on a terminal, a line a phase elsewhere.
import type { FetchProgress } from '#lib/platform/fetch/progress.ts';

export interface ProgressLine {
  show(progress: FetchProgress): void;
  end(): void;
}

export interface ProgressOutput {
  isTTY?: boolean;
  write(text: string): unknown;
}

const redrawMs = 100;

function textOf({ what, phase, doneBytes, totalBytes }: FetchProgress): string {
  if (phase === 'waiting') return `${what}: waiting for another process that fetches it`;
  if (phase === 'building') return `${what}: building it, once; this takes some minutes`;
  const megabytes = (doneBytes / 1e6).toFixed(0);
  if (totalBytes === 0) return `${what}: ${phase} ${megabytes} MB`;
  const percent = Math.floor((100 * doneBytes) / totalBytes);
  return `${what}: ${phase} ${String(percent).padStart(3)} % of ${(totalBytes / 1e6).toFixed(0)} MB`;
}

export function createProgressLine(output: ProgressOutput, now: () => number = Date.now): ProgressLine {
  let drawnAt = Number.NEGATIVE_INFINITY;
  let shown = '';
  const redraw = (progress: FetchProgress): void => {
    const isLast = progress.doneBytes === progress.totalBytes;
    if (!isLast && now() - drawnAt < redrawMs) return;
    drawnAt = now();
    shown = textOf(progress);
    output.write(`\r\x1b[2K${shown}`);
  };
  const report = (progress: FetchProgress): void => {
    const step = `${progress.what} ${progress.phase}`;
    if (step === shown) return;
    shown = step;
    output.write(`${textOf(progress)}\n`);
  };
  return {
    show: output.isTTY ? redraw : report,
    end() {
      if (output.isTTY && shown) output.write('\r\x1b[2K');
    },
  };
}
