// Where tests find libtensorflow: the cache that `make tools` fills.
import { homedir } from 'node:os';
import path from 'node:path';

const cacheDir =
  process.env.STRATA_CACHE_DIR ?? path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'strata');

export const libraryDir = path.join(cacheDir, 'tools', 'libtensorflow-2.21.0');
