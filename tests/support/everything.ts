// Every service in this process, as a command of `strata` starts them: real gRPC on free ports, real jobs, on a home of their own.
import type { Environment } from '#lib/platform/config.ts';
import { loadConfig } from '../../services/cli/config.ts';
import { connectServices, type Services } from '../../services/cli/connect.ts';
import { createOutput } from '../../services/cli/output.ts';
import { nowhere } from './silent-output.ts';

/** `extra` is environment. Logs go to `home`/services.log. A running process of this home is used instead, if there is one. */
export const startEverything = (home: string, extra: Environment = {}): Promise<Services> =>
  connectServices(
    loadConfig({ ...process.env, STRATA_HOME: home, STRATA_DRAIN_MS: '200', ...extra }),
    createOutput({ json: true, stdout: nowhere(), stderr: nowhere() }),
  );
