// Finds libtensorflow in a folder, loads it for good, and binds the C API.
//
// The two shared objects come unmodified from PyPI's `tensorflow-cpu` or `tensorflow` wheel. They are opened through
// the C library's own dlopen with RTLD_NODELETE first: koffi closes what it opened when its thread ends, and
// TensorFlow's static destructors crash a process that unloads them while its thread pools run.
import { existsSync } from 'node:fs';
import path from 'node:path';
import koffi, { type LibraryHandle } from 'koffi';
import { bindCApi, type CApi } from './capi.ts';
import { LibraryError } from './errors.ts';

/** The series this engine is written and tested against; the C API is stable within it. */
export const librarySeries = '2.21';

const platforms = {
  linux: { file: (stem: string) => `${stem}.so.2`, flags: 0x1 | 0x100 | 0x1000 }, // LAZY | GLOBAL | NODELETE
  darwin: { file: (stem: string) => `${stem}.2.dylib`, flags: 0x1 | 0x8 | 0x80 },
} as const;

const remedy = '`make tools TOOL=libtensorflow` gets it';

function findFiles(directory: string): { files: string[]; flags: number } {
  const platform = platforms[process.platform as keyof typeof platforms];
  if (!platform) {
    throw new LibraryError(`libtensorflow has no build for ${process.platform}: the engine runs on Linux and macOS`);
  }
  const files = ['libtensorflow_framework', 'libtensorflow_cc'].map((stem) =>
    path.join(directory, platform.file(stem)),
  );
  const missing = files.find((file) => !existsSync(file));
  if (missing) throw new LibraryError(`libtensorflow is not installed: no ${missing}; ${remedy}`);
  return { files, flags: platform.flags };
}

function pinLibraries(libc: LibraryHandle, files: readonly string[], flags: number): void {
  const dlopen = libc.func('dlopen', 'void *', ['str', 'int']);
  const dlerror = libc.func('dlerror', 'str', []);
  for (const file of files) {
    if (dlopen(file, flags) === null) {
      throw new LibraryError(
        `libtensorflow cannot be loaded: ${dlerror()}; if the file is damaged, delete it and ${remedy}`,
      );
    }
  }
}

/**
 * Loads libtensorflow from `directory`.
 * `environment` is what TensorFlow reads by getenv while it loads. It goes through the C library, because a worker
 * thread's `process.env` is a copy that native code never sees.
 */
export function loadLibrary(directory: string, environment: Readonly<Record<string, string>>): CApi {
  const { files, flags } = findFiles(directory);
  const libc = koffi.load(null);
  const setenv = libc.func('setenv', 'int', ['str', 'str', 'int']);
  for (const [name, value] of Object.entries(environment)) setenv(name, value, 1);
  pinLibraries(libc, files, flags);
  const api = bindLibrary(files.at(-1) ?? '');
  const version = api.TF_Version();
  if (!version.startsWith(`${librarySeries}.`)) {
    throw new LibraryError(`${directory} holds TensorFlow ${version}, the engine needs ${librarySeries}.x; ${remedy}`);
  }
  return api;
}

function bindLibrary(file: string): CApi {
  try {
    return bindCApi(koffi.load(file, { lazy: true, global: true }));
  } catch (cause) {
    throw new LibraryError(`${file} is not the TensorFlow ${librarySeries} the engine needs; ${remedy}`, { cause });
  }
}
