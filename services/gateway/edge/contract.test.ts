// The contract against the table: a field that could name somebody's thing has been thought of.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createFileRegistry, type DescMessage, fromBinary, ScalarType } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { expect, test } from '@jest/globals';
import { definitions } from './definitions.ts';
import { rpcs } from './rpcs.ts';
import { findReferences } from './tenancy.ts';

const descriptors = readFileSync(join(__dirname, '../../../lib/contracts/gen/descriptors.binpb'));
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptors));

/** Found wherever they stand: tenancy.ts checks every one. */
const references = ['strata.common.v1.ArtifactRef', 'strata.common.v1.ObjectRef'];

/** Every text in a request, by who looks at it. A new one belongs into one of these lists, and if it names something, into rules.ts. */
const names = ['name', 'task', 'output_model', 'run_id', 'evaluation_id', 'pipeline_run_id'];
const platformOnly = ['source_prefix', 'dead_letter_id', 'durable', 'sha256'];
const harmless = {
  // Prefixed by the edge.
  requestId: ['request_id'],
  // Written by the edge: the upload's owner, the label that says whose it is.
  written: ['owner', 'labels'],
  // Of a named thing that has been checked.
  ofTheThing: ['version', 'alias', 'promote_to', 'reason', 'metric'],
  // Content, formats, profiles.
  content: [
    'text',
    'texts',
    'content',
    'role',
    'context',
    'continuation',
    'prompts',
    'stop',
    'special_tokens',
    'format',
    'columns',
    'document_separator',
    'label_names',
    'filename',
    'model_type',
    'device',
    'part',
    'source',
    'source_sha256',
    'code_version',
  ],
};

function textsOf(message: DescMessage, seen = new Set<string>()): string[] {
  if (seen.has(message.typeName) || references.includes(message.typeName)) return [];
  seen.add(message.typeName);
  return message.fields.flatMap((field) => {
    if (field.message) return textsOf(field.message, seen);
    const isText =
      field.scalar === ScalarType.STRING || (field.fieldKind === 'map' && field.mapKey === ScalarType.STRING);
    return isText ? [field.name] : [];
  });
}

const services = Object.values(definitions).map(({ fullName }) => {
  const service = registry.getService(fullName);
  if (!service) throw new Error(`${fullName} is not in the descriptors`);
  return service;
});

test('every text of every request is checked, written by the edge, or known to name nothing', () => {
  const known = [...names, ...platformOnly, ...Object.values(harmless).flat()];
  const texts = services.flatMap(({ methods }) =>
    methods.flatMap(({ name, input }) => textsOf(input).map((text) => `${name}.${text}`)),
  );
  expect(texts.length).toBeGreaterThan(60);
  expect(texts.filter((text) => !known.includes(text.split('.')[1] ?? ''))).toEqual([]);
});

test('requests whose texts name something have a row that says so', () => {
  const silent = rpcs.filter(({ service, method, rule }) => {
    const descriptor = registry
      .getService(definitions[service].fullName)
      ?.methods.find(({ name }) => name === method.name);
    const texts = descriptor ? textsOf(descriptor.input) : [];
    const speaks = rule.makes ?? rule.changes ?? rule.thing ?? rule.platformOnly;
    return texts.some((text) => names.includes(text)) && !speaks;
  });
  // A likelihood task carries a name of its own that names nothing; a list of a task's runs is filtered.
  expect(silent.map(({ method }) => method.name)).toEqual(['CreateEvaluation', 'ListPipelineRuns']);
});

test('every RPC of the services has a row', () => {
  expect(rpcs.map(({ name }) => name).sort()).toEqual(
    services.flatMap(({ typeName, methods }) => methods.map(({ name }) => `${typeName}/${name}`)).sort(),
  );
});

test('references are found however deep they lie, by what they name', () => {
  const ref = (name: string) => ({ name, version: '' });
  const object = { key: 'uploads/x', sizeBytes: 1, sha256: '' };
  const request = {
    tokenizer: ref('words'),
    spec: { start: { $case: 'base', value: ref('base') }, mixture: [{ dataset: ref('sums'), weight: 1 }] },
    sources: [{ object, format: '' }],
    ids: new Uint8Array(3),
  };
  const found = findReferences(request);
  expect(found.refs.map(({ kind, ref: { name } }) => `${kind} ${name}`)).toEqual([
    'tokenizer words',
    'model base',
    'dataset sums',
  ]);
  expect(found.objects).toEqual([object]);
});
