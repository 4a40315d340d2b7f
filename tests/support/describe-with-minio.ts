// Suites that need a MinIO: where there is none they say how to get it; in CI it is built.
import { existsSync } from 'node:fs';
import { describe, test } from '@jest/globals';
import { minioProgram } from './minio.ts';

const mustRun = ['true', '1'].includes(process.env.CI ?? '');

/** A suite that needs MinIO. Where there is none its name says how to get it; in CI it is built. */
export function describeWithMinio(name: string, define: () => void): void {
  if (existsSync(minioProgram) || mustRun) describe(name, define);
  else
    describe(name, () =>
      test.skip('needs MinIO: `make tools TOOL=minio` builds it (some minutes, once)', () => undefined),
    );
}
