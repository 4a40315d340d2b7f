// How far a fetch has come.

export const fetchPhases = ['waiting', 'downloading', 'checking', 'unpacking', 'building'] as const;

export interface FetchProgress {
  /** The tool or the file that is being fetched. */
  what: string;
  /** `waiting`: another process is fetching the same thing. */
  phase: (typeof fetchPhases)[number];
  doneBytes: number;
  /** 0 while it is unknown. */
  totalBytes: number;
}

export interface FetchOptions {
  onProgress?: ((progress: FetchProgress) => void) | undefined;
  signal?: AbortSignal | undefined;
}
