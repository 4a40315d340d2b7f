// Loaded into a job's process before its program (`node --import`): claims the job, and notes how it ends.
// STRATA_JOB_FOLDER comes from the job runner, which is why this file, unlike others, reads the environment itself.
import { isMainThread } from 'node:worker_threads';
import { writeExit, writeStarted } from './job-files.ts';
import { thisProcess } from './process-identity.ts';

const folder = process.env.STRATA_JOB_FOLDER;
const now = (): string => new Date().toISOString();

// Worker threads and child processes of the job inherit the flag or the variable; only the job itself counts.
if (folder && isMainThread) {
  delete process.env.STRATA_JOB_FOLDER;
  if (!writeStarted(folder, { ...thisProcess(), time: now() })) process.exit(0);
  process.on('exit', (code) => {
    try {
      writeExit(folder, { code, time: now() });
    } catch {
      // A full disk: whoever looks at the job next finds its process gone.
    }
  });
}
