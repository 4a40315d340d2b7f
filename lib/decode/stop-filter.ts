// Stop texts: the text before the first of them is let through, and nothing that may still become one is let through early.

export interface StopFilter {
  /** What is safe to show, now that `text` has been added. After a stop text nothing more comes. */
  push(text: string): string;
  /** The rest, where no stop text has come. */
  end(): string;
  /** Whether a stop text has come. */
  readonly isStopped: boolean;
}

/** `stops`: non-empty texts. Where several end at the same place, the one that begins first counts. */
export function createStopFilter(stops: readonly string[]): StopFilter {
  let held = '';
  let isStopped = false;
  return {
    get isStopped() {
      return isStopped;
    },
    push(text) {
      if (isStopped) return '';
      held += text;
      const stop = firstOf(held, stops);
      isStopped = stop !== -1;
      const safe = isStopped ? stop : held.length - longestBeginning(held, stops);
      const shown = held.slice(0, safe);
      held = isStopped ? '' : held.slice(safe);
      return shown;
    },
    end() {
      const rest = held;
      held = '';
      return rest;
    },
  };
}

/** Where the first stop text begins, or -1. */
function firstOf(text: string, stops: readonly string[]): number {
  const places = stops.map((stop) => text.indexOf(stop)).filter((place) => place !== -1);
  return places.length > 0 ? Math.min(...places) : -1;
}

/** The length of the longest end of `text` that is the beginning of a stop text. */
function longestBeginning(text: string, stops: readonly string[]): number {
  const longest = Math.min(text.length, Math.max(0, ...stops.map((stop) => stop.length - 1)));
  for (let length = longest; length > 0; length--) {
    const end = text.slice(text.length - length);
    if (stops.some((stop) => stop.startsWith(end))) return length;
  }
  return 0;
}
