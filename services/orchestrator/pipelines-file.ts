// Pipelines declared in a file (YAML or JSON): a list in the form of strata.orchestrator.v1.Pipeline, checked as ApplyPipeline checks them.
import { setTimeout as delay } from 'node:timers/promises';
import { parse } from 'yaml';
import { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import { Batching, Gate, Pipeline } from '#lib/contracts/gen/strata/orchestrator/v1/orchestrator.ts';
import { Hyperparameters } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { fromUnknown, invalidArgument } from '#lib/platform/errors.ts';
import { followFiles } from '#lib/platform/follow-files.ts';
import type { KeyValue } from '#lib/platform/key-value.ts';
import type { Logger } from '#lib/platform/log.ts';
import { checkPipeline, findPipeline, savePipeline, toStored } from './pipeline.ts';

type Fields = Record<string, unknown>;

/** The messages by where they stand: their own fields say what may be written there. */
const shapes: Record<string, object> = {
  '': Pipeline.create(),
  base: ArtifactRef.create(),
  hyperparameters: Hyperparameters.create(),
  gate: Gate.create(),
  batching: Batching.create(),
};

/**
 * The pipelines of the file, with their defaults.
 * @throws {AppError} INVALID_ARGUMENT naming every wrong field: `[1].gate.metrics: …`
 */
export function parsePipelines(text: string): Pipeline[] {
  const list = parse(text) ?? [];
  if (!Array.isArray(list)) throw invalidArgument('the file', 'must be a list of pipelines');
  const seen = new Set<unknown>();
  const pipelines = list.map((entry, index) => readPipeline(entry, `[${index}]`, seen));
  const problems = pipelines.flatMap(({ problems }) => problems);
  if (problems.length) throw invalidArgument('the file', problems.join('; '));
  return pipelines.flatMap(({ pipeline }) => pipeline ?? []);
}

function readPipeline(entry: unknown, at: string, seen: Set<unknown>): { pipeline?: Pipeline; problems: string[] } {
  if (!isFields(entry)) return { problems: [`${at}: must be a pipeline: task, base, objective, …`] };
  const fields = camelCased(entry);
  const problems = checkFields(fields, at);
  if (problems.length) return { problems };
  if (seen.has(fields.task)) return { problems: [`${at}.task: "${fields.task}" stands here twice`] };
  seen.add(fields.task);
  try {
    return { pipeline: checkPipeline(Pipeline.fromJSON({ ...fields, objective: objectiveOf(fields) })), problems: [] };
  } catch (error) {
    const { violations, message } = fromUnknown(error);
    const named = violations.map(({ field, description }) => `${field.replace('pipeline', at)}: ${description}`);
    return { problems: named.length ? named : [`${at}: ${message}`] };
  }
}

/** What the contract does not know would be passed over in silence; a misspelt bound must not be. */
function checkFields(fields: Fields, at: string, where = ''): string[] {
  const shape = shapes[where] as Fields;
  return Object.entries(fields).flatMap(([name, value]) => {
    const place = `${at}.${name}`;
    if (!Object.hasOwn(shape, name)) return `${place}: is not known here; there are ${Object.keys(shape).join(', ')}`;
    if (where === '' && name in shapes) {
      return isFields(value) ? checkFields(value, place, name) : `${place}: must hold fields`;
    }
    const wanted = where === '' && name === 'objective' ? 'string' : typeof shape[name];
    return typeof value === wanted ? [] : `${place}: must be a ${wanted}; it is ${JSON.stringify(value)}`;
  });
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `min_examples` is `minExamples`. */
const camelCased = (fields: Fields): Fields =>
  Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()),
      isFields(value) ? camelCased(value) : value,
    ]),
  );

/** `classify` is short for OBJECTIVE_CLASSIFY. */
const objectiveOf = ({ objective = '' }: Fields): string => {
  const text = String(objective).toUpperCase();
  return !text || text.startsWith('OBJECTIVE_') ? text : `OBJECTIVE_${text}`;
};

/** Writes what is not so yet. What the file does not name stays as it is. */
export async function applyPipelines(state: KeyValue, pipelines: Pipeline[]): Promise<string[]> {
  const changed: string[] = [];
  for (const pipeline of pipelines) {
    const current = await findPipeline(state, pipeline.task);
    if (current && JSON.stringify(toStored(current)) === JSON.stringify(toStored(pipeline))) continue;
    await savePipeline(state, pipeline);
    changed.push(pipeline.task);
  }
  return changed;
}

export interface FollowPipelinesOptions {
  path: string;
  state: KeyValue;
  log: Logger;
  signal: AbortSignal;
  /** How often the file is looked at. Default 10 s. */
  everyMs?: number;
}

const retryMs = 5000;

/**
 * Applies the file's pipelines now, and again when it changes; a change that makes no sense leaves the last good ones.
 * @throws {ConfigError} where it makes no sense at the start
 */
export async function followPipelines({ path, state, log, signal, everyMs }: FollowPipelinesOptions): Promise<void> {
  let newest: Pipeline[] | undefined;
  const apply = async (pipelines: Pipeline[]): Promise<void> => {
    const tasks = await applyPipelines(state, pipelines);
    if (tasks.length) log.info({ path, tasks }, 'pipelines applied');
  };
  const persist = async (pipelines: Pipeline[]): Promise<void> => {
    newest = pipelines;
    while (newest === pipelines && !signal.aborted) {
      try {
        return await apply(pipelines);
      } catch (error) {
        log.warn({ error, path }, 'the pipelines cannot be applied for now');
        await delay(retryMs, undefined, { signal }).catch(() => undefined);
      }
    }
  };
  const file = followFiles({
    files: { STRATA_ORCHESTRATOR_PIPELINES_FILE: path },
    parse: ([content]) => parsePipelines(String(content)),
    onChange: (pipelines) => void persist(pipelines),
    onProblem: ({ message }) => log.error({ path, problem: message }, 'the pipelines stay as they were'),
    ...(everyMs !== undefined && { everyMs }),
  });
  signal.addEventListener('abort', () => file.stop(), { once: true });
  await apply(file.current);
}
