// Which settings each program knows: its config.ts is run with an environment that notes what it is asked for.
import { loadConfig as cli } from '../../services/cli/config.ts';
import { loadConfig as dataSampler } from '../../services/data-sampler/config.ts';
import { loadConfig as evaluator } from '../../services/evaluator/config.ts';
import { loadConfig as evaluatorWorker } from '../../services/evaluator/worker/config.ts';
import { loadConfig as gateway } from '../../services/gateway/config.ts';
import { loadConfig as inference } from '../../services/inference/config.ts';
import { loadConfig as orchestrator } from '../../services/orchestrator/config.ts';
import { loadConfig as tokenizer } from '../../services/tokenizer/config.ts';
import { loadConfig as trainer } from '../../services/trainer/config.ts';
import { loadConfig as trainerWorker } from '../../services/trainer/worker/config.ts';
import { loadConfig as weightLoader } from '../../services/weight-loader/config.ts';

type Load = (env: Record<string, string | undefined>) => unknown;

/** By container: several programs run in a Job's. */
const programs: Record<string, Load[]> = {
  tokenizer: [tokenizer],
  'data-sampler': [dataSampler],
  trainer: [trainer],
  evaluator: [evaluator],
  'weight-loader': [weightLoader],
  inference: [inference],
  orchestrator: [orchestrator],
  gateway: [gateway],
  job: [trainerWorker, evaluatorWorker],
  check: [cli],
};

function askedFor(load: Load): string[] {
  const asked = new Set<string>();
  const noting = new Proxy<Record<string, string | undefined>>(
    {},
    {
      get: (_, name) => {
        if (typeof name === 'string') asked.add(name);
        return undefined;
      },
    },
  );
  try {
    load(noting);
  } catch {
    // What is required is not there; it was asked for all the same.
  }
  return [...asked];
}

export const knownVariables = (container: string): Set<string> =>
  new Set((programs[container] ?? []).flatMap(askedFor));
