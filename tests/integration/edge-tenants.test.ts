// Two tenants behind the edge: what one makes, the other cannot see, name, change or copy, by any RPC.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { get as httpsGet } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import type { ObjectRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import { DatasetKind, Split } from '#lib/contracts/gen/strata/data_sampler/v1/data_sampler.ts';
import { EvaluationPhase } from '#lib/contracts/gen/strata/evaluator/v1/evaluator.ts';
import { Objective, Phase } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { AppError, fromUnknown, hasCode } from '#lib/platform/errors.ts';
import type { Services } from '../../services/cli/connect.ts';
import type { Definitions } from '../../services/gateway/edge/definitions.ts';
import { type EdgeServices, startEdge } from '../support/edge.ts';
import { makeCharTokenizer, makeDataset, upload } from '../support/prepare.ts';
import { importModel } from '../support/serving.ts';
import { tinyModel } from '../support/tiny-models.ts';
import { tinyArchitecture } from '../support/tiny-run.ts';
import { until } from '../support/until.ts';

jest.setTimeout(120_000);

const home = mkdtempSync(join(tmpdir(), 'strata-tenants-'));
let edge: EdgeServices;
let acme: Services;
let beta: Services;
let platform: Services;

/** What acme has. */
const mine = {
  runId: '',
  evaluationId: '',
  sharedEvaluationId: '',
  pipelineRunId: '',
  source: { key: '', sizeBytes: 0, sha256: '' } as ObjectRef,
};
const words = 'abcdefghijklmnopqrstuvwxyz 0123456789+=\n';
const sums = Array.from({ length: 400 }, (_, i) => `${i % 50}+${(i * 7) % 50}=${(i % 50) + ((i * 7) % 50)}`).join('\n');
const samples = {
  $case: 'samples' as const,
  value: { prompts: ['the secret of acme'], maxNewTokens: 2, temperature: 0, topK: 0, seed: 1 },
};

const run = (name: string, dataset: string) => ({
  requestId: 'same-request',
  name,
  spec: {
    objective: Objective.OBJECTIVE_PRETRAIN,
    start: { $case: 'architecture' as const, value: tinyArchitecture },
    mixture: [{ dataset: { name: dataset, version: '' }, weight: 1 }],
    hyperparameters: { maxSteps: 4, batchSize: 2 },
    seed: 1,
  },
});

beforeAll(async () => {
  const scopes = ['inference' as const, 'write' as const];
  edge = await startEdge(
    home,
    {
      acme: { tenant: 'acme', scopes },
      beta: { tenant: 'beta', scopes },
      platform: { scopes: ['admin'] },
    },
    { STRATA_GATEWAY_SHARED_NAMES: 'gpt2,open' },
  );
  [acme, beta, platform] = await Promise.all([edge.as('acme'), edge.as('beta'), edge.as('platform')]);
  await importModel(platform, 'open', tinyModel('gpt2').files);
  await importModel(platform, 'secret', tinyModel('gpt2').files);
  await importModel(acme, 'acme-boats', tinyModel('gpt2').files);
  await importModel(acme, 'acme-topics', tinyModel('gpt2', { labels: ['boat', 'rain'] }).files);
  mine.source = await upload(acme, 'sums.txt', sums + words);
  const tokenizer = await makeCharTokenizer(acme, { name: 'acme-words', sources: [mine.source] });
  const sources = [{ object: mine.source, format: 'text', split: Split.SPLIT_UNSPECIFIED }];
  await makeDataset(acme, { name: 'acme-sums', sources, tokenizer, contiguousSplit: true });
  const { run: created } = await acme.trainer.createRun(run('acme-run', 'acme-sums'));
  mine.runId = created?.id ?? '';
  await ended(mine.runId);
  const evaluate = async (name: string) =>
    (
      await acme.evaluator.createEvaluation({
        requestId: name,
        model: { name, version: '' },
        tasks: [{ task: samples }],
      })
    ).evaluation?.id ?? '';
  mine.evaluationId = await evaluate('acme-boats');
  mine.sharedEvaluationId = await evaluate('open');
  const pipeline = {
    task: 'acme-mail',
    base: { name: 'acme-boats', version: '' },
    objective: Objective.OBJECTIVE_CLASSIFY,
    hyperparameters: { maxSteps: 2 },
  };
  await acme.orchestrator.applyPipeline({ pipeline });
  await addLabels(acme, 'acme-mail', 'text,label\nboats,boat\nrain,rain\n');
  const triggered = await retry(() => acme.orchestrator.triggerPipeline({ task: 'acme-mail' }));
  mine.pipelineRunId = triggered.pipelineRun?.id ?? '';
});
afterAll(async () => {
  await edge?.stop();
  rmSync(home, { recursive: true, force: true });
});

test('a pipeline that is deleted takes no labels; they wait for the next one of its task', async () => {
  const task = 'acme-spare';
  const pipeline = { task, base: { name: 'acme-boats', version: '' }, objective: Objective.OBJECTIVE_CLASSIFY };
  const tasks = async () => (await acme.orchestrator.listPipelines({})).pipelines.map((each) => each.task);
  await acme.orchestrator.applyPipeline({ pipeline });
  expect(await tasks()).toContain(task);
  await acme.orchestrator.deletePipeline({ task });
  expect(await tasks()).not.toContain(task);
  await addLabels(acme, task, 'text,label\nboats,boat\nrain,rain\n');
  await expect(acme.orchestrator.triggerPipeline({ task })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await acme.orchestrator.applyPipeline({ pipeline });
  const { pipelineRun } = await retry(() => acme.orchestrator.triggerPipeline({ task }));
  expect(pipelineRun?.labels).toHaveLength(1);
  await acme.orchestrator.deletePipeline({ task });
});

test('a tenant works from data to a served model through the edge, TLS inside and outside', async () => {
  const { run: finished } = await acme.trainer.getRun({ runId: mine.runId });
  expect(finished).toMatchObject({ model: { name: 'acme-run', version: 'v1' }, labels: { tenant: 'acme' } });
  await until(
    async () =>
      (await acme.evaluator.getEvaluation({ evaluationId: mine.evaluationId })).evaluation?.phase ===
      EvaluationPhase.EVALUATION_PHASE_SUCCEEDED,
  );
  let text = '';
  for await (const part of acme.inference.generate({
    model: { name: 'acme-boats', version: '' },
    prompt: { $case: 'text', value: 'boats' },
    sampling: { maxTokens: 4 },
  }))
    text += part.text;
  expect(text).not.toBe('');
  expect(mine.source.key).toBe(`uploads/acme/${mine.source.sha256}/sums.txt`);
});

test('HTTP is HTTPS: with the authority known a key is asked for, without it nobody talks', async () => {
  const get = (options: object) =>
    new Promise<number | undefined>((resolve, reject) => {
      const headers = { authorization: `Bearer ${edge.keyOf('acme')}` };
      httpsGet(`${edge.url}/v1/models`, { headers, ...options }, (response) =>
        resolve(response.resume().statusCode),
      ).on('error', reject);
    });
  const ca = readFileSync(edge.caFile);
  expect(await get({ ca })).toBe(200);
  expect(await get({ ca, headers: {} })).toBe(401);
  await expect(get({})).rejects.toThrow(/certificate/);
});

/** How a call must end for a stranger. */
type Ending = 'hidden' | 'empty' | 'foreign name' | 'platform only' | 'kept apart';
interface Attack {
  /** beta's call; `name` is what it names instead of acme's thing. */
  call: (as: Services, swap: Swap) => Promise<unknown>;
  ends: Ending;
}
/** acme's own name or id, or one that nobody has. */
type Swap = <T extends string>(theirs: T) => string;

const model = (name: string) => ({ name, version: '' });
const all = async <T>(responses: AsyncIterable<T>): Promise<T[]> => {
  const found: T[] = [];
  for await (const response of responses) found.push(response);
  return found;
};
async function* once<T>(message: T) {
  yield message;
}
const header = (filename: string, owner = '') => ({
  $case: 'header' as const,
  value: { filename, sizeBytes: 0, sha256: '', owner },
});
const ids = Buffer.from([0, 0, 0, 0]);

/** One attack an RPC at least: a new RPC does not compile without one. */
const attacks = {
  tokenizer: {
    encode: {
      ends: 'hidden',
      call: ({ tokenizer }, x) => tokenizer.encode({ tokenizer: model(x('acme-words')), text: 'a' }),
    },
    encodeStream: {
      ends: 'hidden',
      call: ({ tokenizer }, x) =>
        all(tokenizer.encodeStream(once({ tokenizer: model(`model:${x('acme-boats')}`), text: 'a' }))),
    },
    decode: {
      ends: 'hidden',
      call: ({ tokenizer }, x) => tokenizer.decode({ tokenizer: model(x('acme-words')), ids }),
    },
    decodeStream: {
      ends: 'hidden',
      call: ({ tokenizer }, x) => all(tokenizer.decodeStream(once({ tokenizer: model(x('acme-words')), ids }))),
    },
    countTokens: {
      ends: 'hidden',
      call: ({ tokenizer }, x) => tokenizer.countTokens({ tokenizer: model(x('acme-words')), text: 'a' }),
    },
    renderChat: {
      ends: 'hidden',
      call: ({ tokenizer }, x) =>
        tokenizer.renderChat({
          tokenizer: model(`model:${x('acme-boats')}`),
          messages: [{ role: 'user', content: 'a' }],
        }),
    },
    trainTokenizer: {
      ends: 'foreign name',
      call: ({ tokenizer }, x) => all(tokenizer.trainTokenizer({ name: x('acme-words'), kind: 2, sources: [] })),
    },
    getTokenizer: {
      ends: 'hidden',
      call: ({ tokenizer }, x) => tokenizer.getTokenizer({ tokenizer: model(x('acme-words')) }),
    },
    listTokenizers: { ends: 'empty', call: ({ tokenizer }) => tokenizer.listTokenizers({}) },
  },
  'data-sampler': {
    uploadSource: {
      ends: 'kept apart',
      call: ({ dataSampler }) => dataSampler.uploadSource(once({ part: header('sums.txt', 'acme') })),
    },
    createDataset: {
      ends: 'foreign name',
      call: ({ dataSampler }, x) =>
        all(
          dataSampler.createDataset({
            name: x('acme-sums'),
            kind: DatasetKind.DATASET_KIND_TEXT,
            sources: [],
            tokenizer: model('gpt2'),
          }),
        ),
    },
    getDataset: {
      ends: 'hidden',
      call: ({ dataSampler }, x) => dataSampler.getDataset({ dataset: model(x('acme-sums')) }),
    },
    listDatasets: { ends: 'empty', call: ({ dataSampler }) => dataSampler.listDatasets({}) },
    previewMixture: {
      ends: 'hidden',
      call: ({ dataSampler }, x) =>
        dataSampler.previewMixture({
          mixture: [{ dataset: model(x('acme-sums')), weight: 1 }],
          split: 1,
          blockSize: 8,
          samples: 1,
        }),
    },
    streamBatches: {
      ends: 'hidden',
      call: ({ dataSampler }, x) =>
        all(
          dataSampler.streamBatches({
            mixture: [{ dataset: model(x('acme-sums')), weight: 1 }],
            split: 1,
            batchSize: 1,
            blockSize: 8,
            maxBatches: 1,
          }),
        ),
    },
  },
  trainer: {
    createRun: { ends: 'foreign name', call: ({ trainer }, x) => trainer.createRun(run(x('acme-run'), 'beta-sums')) },
    getRun: { ends: 'hidden', call: ({ trainer }, x) => trainer.getRun({ runId: x(mine.runId) }) },
    listRuns: { ends: 'empty', call: ({ trainer }) => trainer.listRuns({}) },
    watchRun: { ends: 'hidden', call: ({ trainer }, x) => all(trainer.watchRun({ runId: x(mine.runId) })) },
    cancelRun: { ends: 'hidden', call: ({ trainer }, x) => trainer.cancelRun({ runId: x(mine.runId) }) },
    resumeRun: { ends: 'hidden', call: ({ trainer }, x) => trainer.resumeRun({ runId: x(mine.runId) }) },
  },
  evaluator: {
    createEvaluation: {
      ends: 'hidden',
      call: ({ evaluator }, x) =>
        evaluator.createEvaluation({ model: model(x('acme-boats')), tasks: [{ task: samples }] }),
    },
    getEvaluation: {
      ends: 'hidden',
      call: ({ evaluator }, x) => evaluator.getEvaluation({ evaluationId: x(mine.sharedEvaluationId) }),
    },
    listEvaluations: { ends: 'empty', call: ({ evaluator }) => evaluator.listEvaluations({}) },
    watchEvaluation: {
      ends: 'hidden',
      call: ({ evaluator }, x) => all(evaluator.watchEvaluation({ evaluationId: x(mine.evaluationId) })),
    },
    score: {
      ends: 'hidden',
      call: ({ evaluator }, x) =>
        evaluator.score({ model: model(x('acme-boats')), pairs: [{ context: 'a', continuation: 'b' }] }),
    },
  },
  'weight-loader': {
    uploadModelFile: {
      ends: 'kept apart',
      call: ({ weightLoader }) => weightLoader.uploadModelFile(once({ part: header('config.json', 'acme') })),
    },
    importModel: {
      ends: 'foreign name',
      call: ({ weightLoader }, x) => all(weightLoader.importModel({ name: x('acme-boats'), files: [] })),
    },
    exportModel: {
      ends: 'hidden',
      call: ({ weightLoader }, x) => all(weightLoader.exportModel({ model: model(x('acme-boats')) })),
    },
    registerModel: {
      ends: 'platform only',
      call: ({ weightLoader }) =>
        weightLoader.registerModel({ name: 'beta-copy', sourcePrefix: `runs/${mine.runId}/model` }),
    },
    getModel: {
      ends: 'hidden',
      call: ({ weightLoader }, x) => weightLoader.getModel({ model: { name: x('acme-boats'), version: 'production' } }),
    },
    listModels: { ends: 'empty', call: ({ weightLoader }) => weightLoader.listModels({}) },
    promoteModel: {
      ends: 'hidden',
      call: ({ weightLoader }, x) =>
        weightLoader.promoteModel({ model: { name: x('acme-boats'), version: 'v1' }, alias: 'stolen' }),
    },
    rollbackModel: {
      ends: 'hidden',
      call: ({ weightLoader }, x) => weightLoader.rollbackModel({ name: x('acme-boats') }),
    },
  },
  inference: {
    generate: {
      ends: 'hidden',
      call: ({ inference }, x) =>
        all(inference.generate({ model: model(x('acme-boats')), prompt: { $case: 'text', value: 'a' } })),
    },
    chat: {
      ends: 'hidden',
      call: ({ inference }, x) =>
        all(inference.chat({ model: model(x('acme-boats')), messages: [{ role: 'user', content: 'a' }] })),
    },
    classify: {
      ends: 'hidden',
      call: ({ inference }, x) => inference.classify({ model: model(x('acme-topics')), texts: ['a'] }),
    },
    score: {
      ends: 'hidden',
      call: ({ inference }, x) =>
        inference.score({ model: model(x('acme-boats')), items: [{ context: '', continuation: 'ab' }] }),
    },
    listLoadedModels: { ends: 'empty', call: ({ inference }) => inference.listLoadedModels({}) },
  },
  orchestrator: {
    applyPipeline: {
      ends: 'foreign name',
      call: ({ orchestrator }, x) =>
        orchestrator.applyPipeline({
          pipeline: { task: x('acme-mail'), base: model('open'), objective: Objective.OBJECTIVE_CLASSIFY },
        }),
    },
    addLabels: {
      ends: 'foreign name',
      call: ({ orchestrator }, x) =>
        orchestrator.addLabels(
          once({ part: { $case: 'header', value: { task: x('acme-mail'), file: header('x.csv').value } } }),
        ),
    },
    listPipelines: { ends: 'empty', call: ({ orchestrator }) => orchestrator.listPipelines({}) },
    getPipelineRun: {
      ends: 'hidden',
      call: ({ orchestrator }, x) => orchestrator.getPipelineRun({ pipelineRunId: x(mine.pipelineRunId) }),
    },
    listPipelineRuns: {
      ends: 'empty',
      call: ({ orchestrator }) => orchestrator.listPipelineRuns({ task: 'acme-mail' }),
    },
    watchPipelineRun: {
      ends: 'hidden',
      call: ({ orchestrator }, x) => all(orchestrator.watchPipelineRun({ pipelineRunId: x(mine.pipelineRunId) })),
    },
    deletePipeline: {
      ends: 'hidden',
      call: ({ orchestrator }, x) => orchestrator.deletePipeline({ task: x('acme-mail') }),
    },
    triggerPipeline: {
      ends: 'hidden',
      call: ({ orchestrator }, x) => orchestrator.triggerPipeline({ task: x('acme-mail') }),
    },
    listDeadLetters: { ends: 'platform only', call: ({ orchestrator }) => orchestrator.listDeadLetters({}) },
    replayDeadLetter: {
      ends: 'platform only',
      call: ({ orchestrator }) => orchestrator.replayDeadLetter({ deadLetterId: '1' }),
    },
  },
} satisfies { [S in keyof Definitions]: { [M in keyof Definitions[S]['methods']]: Attack } };

const rows = Object.entries(attacks).flatMap(([service, methods]) =>
  Object.entries(methods as Record<string, Attack>).map(([name, attack]) => [service, name, attack] as const),
);
const nobodys = (theirs: string): string =>
  [...theirs]
    .reverse()
    .map((letter) => (letter === '-' ? 'x' : letter))
    .join('');
const ofCall = async (attack: Attack, swap: Swap) =>
  attack.call(beta, swap).then(
    (value) => ({ value, error: undefined }),
    (error) => ({ value: undefined, error: fromUnknown(error) }),
  );

test.each(rows)("%s %s shows and gives nothing of another tenant's", async (_, __, attack) => {
  const { value, error } = await ofCall(attack, (theirs) => theirs);
  expect(JSON.stringify(value ?? '')).not.toMatch(/acme/);
  if (attack.ends === 'empty' || attack.ends === 'kept apart') return expect(error).toBeUndefined();
  const codes = {
    hidden: 'NOT_FOUND',
    'foreign name': 'INVALID_ARGUMENT',
    'platform only': 'PERMISSION_DENIED',
  } as const;
  expect(error).toMatchObject({ code: codes[attack.ends] });
  // The same answer for another's and for nobody's: existence does not show.
  const named: string[] = [];
  const [known, unknown] = await Promise.all([
    ofCall(attack, (theirs) => {
      named.push(theirs);
      return theirs;
    }),
    ofCall(attack, nobodys),
  ]);
  const blind = (text = '') =>
    named.reduce((rest, name) => rest.replaceAll(name, '*').replaceAll(nobodys(name), '*'), text);
  expect({ code: known.error?.code, text: blind(known.error?.message) }).toEqual({
    code: unknown.error?.code,
    text: blind(unknown.error?.message),
  });
});

test.each(rows.filter(([, , { ends }]) => ends === 'empty'))(
  '%s %s shows the owner what is its own',
  async (_, name, attack) => {
    // Nothing of acme's is kept loaded by itself.
    if (name === 'listLoadedModels')
      await all(
        acme.inference.generate({
          model: model('acme-boats'),
          prompt: { $case: 'text', value: 'a' },
          sampling: { maxTokens: 1 },
        }),
      );
    const text = JSON.stringify(await attack.call(acme, (same) => same));
    expect(text).toMatch(/acme/);
    expect(text).not.toMatch(/beta-|secret"/);
    expect(JSON.stringify(await attack.call(platform, (same) => same))).toMatch(/acme/);
  },
);

test("an upload is its owner's: neither its key nor its hash is of use to anybody else", async () => {
  const dataset = (key: string, as = beta, name = 'beta-copy') =>
    all(
      as.dataSampler.createDataset({
        name,
        kind: DatasetKind.DATASET_KIND_TEXT,
        sources: [{ object: { ...mine.source, key } }],
        tokenizer: model('gpt2'),
      }),
    );
  const { sha256 } = mine.source;
  const keys = [
    mine.source.key,
    `uploads/${sha256}/sums.txt`,
    `uploads/beta/../acme/${sha256}/sums.txt`,
    'inbox/acme-mail/x',
    'models/open/v1/config.json',
    `uploads/betax/${sha256}/sums.txt`,
    'uploads/beta',
  ];
  for (const key of keys)
    await expect(dataset(key)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: `upload "${key}" does not exist; upload the file first`,
    });
  const train = beta.tokenizer.trainTokenizer({ name: 'beta-words', kind: 2, sources: [mine.source] });
  await expect(all(train)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(all(beta.weightLoader.importModel({ name: 'beta-boats', files: [mine.source] }))).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
  const likelihood = { $case: 'likelihood' as const, value: { name: 'x', rows: mine.source, limit: 1 } };
  await expect(
    beta.evaluator.createEvaluation({ model: model('open'), tasks: [{ task: likelihood }] }),
  ).rejects.toMatchObject({ code: 'NOT_FOUND' });
  const own = await upload(beta, 'sums.txt', sums + words);
  expect(own).toMatchObject({ sha256, key: `uploads/beta/${sha256}/sums.txt` });
  await dataset(own.key, beta, 'beta-sums');
});

test("another's model, dataset or tokenizer is no base, no part of a mixture, no encoder", async () => {
  const create = (change: object) => beta.trainer.createRun({ ...run('beta-run', 'acme-sums'), ...change });
  await expect(create({})).rejects.toMatchObject({
    code: 'NOT_FOUND',
    message: expect.stringContaining('dataset "acme-sums"'),
  });
  const based = { ...run('beta-run', 'beta-sums').spec, start: { $case: 'base' as const, value: model('acme-boats') } };
  await expect(create({ spec: based })).rejects.toMatchObject({
    code: 'NOT_FOUND',
    message: expect.stringContaining('model "acme-boats"'),
  });
  const output = { ...run('beta-run', 'beta-sums').spec, outputModel: 'acme-boats' };
  await expect(create({ spec: output })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    violations: [{ field: 'spec.output_model' }],
  });
  const dataset = beta.dataSampler.createDataset({
    name: 'beta-x',
    kind: 1,
    sources: [],
    tokenizer: model('model:acme-boats'),
  });
  await expect(all(dataset)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  const pipeline = { task: 'beta-mail', base: model('acme-boats'), objective: Objective.OBJECTIVE_CLASSIFY };
  await expect(beta.orchestrator.applyPipeline({ pipeline })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(
    beta.orchestrator.applyPipeline({ pipeline: { ...pipeline, base: model('open'), outputModel: 'acme-topics' } }),
  ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  const task = {
    $case: 'languageModelling' as const,
    value: { dataset: model('acme-sums'), split: 2 as const, blockSize: 8, maxTokens: 8 },
  };
  await expect(beta.evaluator.createEvaluation({ model: model('open'), tasks: [{ task }] })).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
});

test('the same request id of two tenants is two requests', async () => {
  const { run: other } = await beta.trainer.createRun(run('beta-run', 'beta-sums'));
  expect(other?.id).not.toBe(mine.runId);
  expect(other?.labels).toEqual({ tenant: 'beta' });
  const again = await acme.trainer.createRun(run('acme-run', 'acme-sums'));
  expect(again.run?.id).toBe(mine.runId);
  await beta.trainer.cancelRun({ runId: other?.id ?? '' });
});

test('labels that say whose a run is, or which pipeline waits for it, cannot be forged', async () => {
  const forged = await beta.evaluator.createEvaluation({
    requestId: 'forged',
    model: model('open'),
    tasks: [{ task: samples }],
    labels: { tenant: 'acme' },
  });
  expect(forged.evaluation?.labels).toEqual({ tenant: 'beta' });
  const claim = { ...run('beta-claim', 'beta-sums'), labels: { pipeline_run: mine.pipelineRunId } };
  await expect(beta.trainer.createRun(claim)).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    violations: [{ field: 'labels' }],
  });
});

test('what is shared may be used by all and changed by none of them; what is not shared is hidden', async () => {
  await all(
    beta.inference.generate({
      model: model('open'),
      prompt: { $case: 'text', value: 'a' },
      sampling: { maxTokens: 1 },
    }),
  );
  expect((await beta.weightLoader.getModel({ model: model('open') })).model?.name).toBe('open');
  await expect(beta.weightLoader.promoteModel({ model: { name: 'open', version: 'v1' } })).rejects.toMatchObject({
    code: 'PERMISSION_DENIED',
  });
  await expect(beta.weightLoader.rollbackModel({ name: 'open' })).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
  await expect(beta.weightLoader.getModel({ model: model('secret') })).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('a tenant whose name begins like another one is a stranger', async () => {
  edge.writeKeys({
    acm: { tenant: 'acm', scopes: ['write', 'inference'] },
    acme: { tenant: 'acme', scopes: ['write', 'inference'] },
  });
  await until(async () =>
    (await edge.as('acm')).weightLoader.listModels({}).then(
      () => true,
      () => false,
    ),
  );
  const acm = await edge.as('acm');
  expect((await acm.weightLoader.listModels({})).models.map(({ name }) => name)).toEqual(['open']);
  await expect(acm.weightLoader.getModel({ model: model('acme-boats') })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(beta.weightLoader.listModels({})).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
});

async function addLabels({ orchestrator }: Services, task: string, content: string): Promise<void> {
  async function* parts() {
    yield { part: { $case: 'header' as const, value: { task, file: header('labels.csv').value } } };
    yield { part: { $case: 'chunk' as const, value: Buffer.from(content) } };
  }
  await orchestrator.addLabels(parts());
}

async function ended(runId: string): Promise<void> {
  for await (const { event } of acme.trainer.watchRun({ runId })) {
    if (event?.$case !== 'run' || event.value.phase === Phase.PHASE_SUCCEEDED) continue;
    if (event.value.error) throw new AppError('FAILED_PRECONDITION', event.value.error);
  }
}

/** The labels arrive by an event. */
async function retry<T>(call: () => Promise<T>): Promise<T> {
  for (const deadline = Date.now() + 20_000; ; await delay(50)) {
    try {
      return await call();
    } catch (error) {
      if (!hasCode(error, 'NOT_FOUND') || Date.now() > deadline) throw error;
    }
  }
}
