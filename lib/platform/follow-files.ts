// Files that somebody else replaces while we run: mounted secrets, certificates. Their content counts, not their dates: Kubernetes swaps a
// symbolic link, and watching the file system is late or silent on several of them.
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { ConfigError } from './config.ts';

export interface FollowOptions<T> {
  /** Setting -> path: errors name both. */
  files: Readonly<Record<string, string>>;
  /** In the order of `files`. Throws where they do not make sense, or not together. */
  parse: (contents: Buffer[]) => T;
  /** What counts from now on. */
  onChange?: (value: T) => void;
  /** New files that make no sense; the old ones go on counting. Said once for each content. */
  onProblem?: (error: Error) => void;
  /** Default 10 s. */
  everyMs?: number;
}

export interface Followed<T> {
  readonly current: T;
  stop(): void;
}

/**
 * Reads the files, and again every few seconds.
 * @throws {ConfigError} where they cannot be read or make no sense at the start
 */
export function followFiles<T>(options: FollowOptions<T>): Followed<T> {
  const { files, parse, onChange, onProblem, everyMs = 10_000 } = options;
  const paths = Object.values(files);
  let seen = readAtStart(files);
  let current = parseAtStart(options, seen);
  const look = async (): Promise<void> => {
    try {
      const found = await Promise.all(paths.map((path) => readFile(path)));
      if (found.every((content, i) => seen[i]?.equals(content))) return;
      seen = found;
      current = parse(found);
      onChange?.(current);
    } catch (error) {
      onProblem?.(error as Error);
    }
  };
  // Looks never overlap, and keep no process alive.
  let timer: NodeJS.Timeout | undefined;
  const plan = (): void => {
    timer = setTimeout(() => void look().then(() => timer && plan()), everyMs).unref();
  };
  plan();
  return {
    get current() {
      return current;
    },
    stop() {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}

function readAtStart(files: Readonly<Record<string, string>>): Buffer[] {
  const problems: string[] = [];
  const contents = Object.entries(files).map(([setting, path]) => {
    try {
      return readFileSync(path);
    } catch (error) {
      problems.push(`${setting}: ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
      return Buffer.alloc(0);
    }
  });
  if (problems.length) throw new ConfigError(problems);
  return contents;
}

function parseAtStart<T>({ files, parse }: FollowOptions<T>, contents: Buffer[]): T {
  try {
    return parse(contents);
  } catch (error) {
    throw new ConfigError([`${Object.keys(files).join(', ')}: ${(error as Error).message}`]);
  }
}
