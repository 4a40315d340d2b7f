// The orchestrator's RPCs: pipelines are declared, labels come in, pipeline runs are looked at.
import type {
  AddLabelsRequest,
  OrchestratorServiceImplementation,
} from '#lib/contracts/gen/strata/orchestrator/v1/orchestrator.ts';
import { keys, objectKeys } from '#lib/contracts/keys.ts';
import { check, nameProblem } from '#lib/platform/check.ts';
import { invalidArgument } from '#lib/platform/errors.ts';
import type { KeyValue } from '#lib/platform/key-value.ts';
import { receiveUpload, type UploadMessage } from '#lib/platform/upload.ts';
import { createDeadLetterRpcs } from './dead-letters.ts';
import type { Driver } from './driver.ts';
import { announceLabels, type InboxOptions } from './inbox.ts';
import { checkPipeline, deletePipeline, listPipelines, savePipeline } from './pipeline.ts';
import { getRecord, isActive, listRecords, type PipelineRunRecord, toMessage } from './pipeline-run.ts';

export interface OrchestratorDependencies extends InboxOptions {
  state: KeyValue;
  driver: Driver;
}

export const createOrchestratorService = (
  dependencies: OrchestratorDependencies,
): OrchestratorServiceImplementation => {
  const { state, objects, events, driver } = dependencies;
  return {
    ...createDeadLetterRpcs(events),

    async applyPipeline({ pipeline }) {
      const checked = checkPipeline(pipeline);
      await savePipeline(state, checked);
      return { pipeline: checked };
    },

    async deletePipeline({ task }) {
      await deletePipeline(state, task);
      return {};
    },

    async addLabels(requests, { signal }) {
      const { task, messages } = await splitHeader(requests);
      check({ 'header.task': nameProblem(task) });
      const keyOf = (sha256: string, file: string) => objectKeys.label(task, sha256, file);
      const labels = await receiveUpload(objects, messages, { signal, keyOf });
      await announceLabels(dependencies, task, labels.key);
      return { labels };
    },

    async listPipelines() {
      return { pipelines: await listPipelines(state) };
    },

    async getPipelineRun({ pipelineRunId }) {
      return { pipelineRun: toMessage(await getRecord(state, pipelineRunId)) };
    },

    async listPipelineRuns({ task }) {
      const records = (await listRecords(state)).filter((record) => !task || record.task === task);
      records.sort((a, b) => b.createTime.localeCompare(a.createTime));
      return { pipelineRuns: records.map(toMessage) };
    },

    async *watchPipelineRun({ pipelineRunId }, { signal }) {
      await getRecord(state, pipelineRunId);
      for await (const change of state.watch<PipelineRunRecord>(keys.pipelineRun(pipelineRunId), { signal })) {
        if (change.kind === 'delete') return;
        yield { pipelineRun: toMessage(change.value) };
        if (!isActive(change.value)) return;
      }
    },

    async triggerPipeline({ task }) {
      check({ task: nameProblem(task) });
      return { pipelineRun: toMessage(await driver.trigger(task)) };
    },
  };
};

/** The header names the task and holds an ordinary upload's header. */
async function splitHeader(
  requests: AsyncIterable<AddLabelsRequest>,
): Promise<{ task: string; messages: AsyncIterable<UploadMessage> }> {
  const iterator = requests[Symbol.asyncIterator]();
  const { part } = (await iterator.next()).value ?? {};
  if (part?.$case !== 'header') throw invalidArgument('header', 'must be the first message of the stream');
  const { task, file } = part.value;
  if (!file) throw invalidArgument('header.file', 'is required');
  async function* messages(): AsyncGenerator<UploadMessage> {
    yield { part: { $case: 'header', value: file ?? { filename: '', sizeBytes: 0, sha256: '', owner: '' } } };
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
      const { part: later } = next.value as AddLabelsRequest;
      if (later?.$case !== 'chunk') throw invalidArgument('chunk', 'must be every message after the first');
      yield { part: later };
    }
  }
  return { task, messages: messages() };
}
