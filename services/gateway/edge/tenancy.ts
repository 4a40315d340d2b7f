// A tenant sees its own: names that begin with `<tenant>-`, runs and evaluations of such names, uploads under its folder.
// What it does not see does not exist: the answer is the same for another's thing and for nothing.
import { formatRef } from '#lib/contracts/format-ref.ts';
import type { ArtifactRef, ObjectRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import type { Evaluation } from '#lib/contracts/gen/strata/evaluator/v1/evaluator.ts';
import type { Run } from '#lib/contracts/gen/strata/trainer/v1/trainer.ts';
import { objectKeys, tenantPrefix } from '#lib/contracts/keys.ts';
import { refuse } from '#lib/platform/check.ts';
import { AppError, notFound } from '#lib/platform/errors.ts';
import type { Visit } from '../auth/gatekeeper.ts';
import type { Named, RequestRule, Sees, Thing } from './rule.ts';
import { tenantLabel } from './rules.ts';

export function createSees(tenant: string, shared: ReadonlySet<string>): Sees {
  const own = (name = '') => name.startsWith(tenantPrefix(tenant));
  /** The label, where the edge wrote one; else the name: what pipelines make carries no label. */
  const isOf = (labels: Record<string, string>, name: string) =>
    labels[tenantLabel] === undefined ? own(name) : labels[tenantLabel] === tenant;
  return {
    own,
    name: (name = '') => own(name) || shared.has(name),
    run: ({ labels, name, spec }: Run) => isOf(labels, spec?.outputModel || name),
    evaluation: ({ labels, model }: Evaluation) => isOf(labels, model?.name ?? ''),
  };
}

/** Whose a thing is: only what is there and the tenant's own answers true. */
export type IsMine = (thing: Thing, sees: Sees, signal: AbortSignal) => Promise<boolean>;

export interface TenantCall {
  tenant: string;
  sees: Sees;
  isMine: IsMine;
  signal: AbortSignal;
}

/**
 * The request as it may go on: everything it names is the tenant's, or may be read by it.
 * @throws {AppError} NOT_FOUND, INVALID_ARGUMENT for a new name without the tenant's prefix, PERMISSION_DENIED for what is the platform's
 */
export async function admit<Request extends object>(
  rule: RequestRule<Request>,
  request: Request,
  { tenant, sees, isMine, signal }: TenantCall,
): Promise<Request> {
  if (rule.platformOnly) throw new AppError('PERMISSION_DENIED', 'this is for keys of the platform itself');
  const { refs, objects } = findReferences(request);
  for (const ref of refs) checkReadable(ref, sees);
  for (const { key } of objects) checkObject(key, tenant);
  checkNew(rule.makes?.(request) ?? [], tenant, sees);
  for (const named of rule.changes?.(request) ?? []) checkChangeable(named, sees);
  const thing = rule.thing?.(request);
  if (thing && !(await isMine(thing, sees, signal))) throw unknownThing(thing);
  return keepApart(rule.amend?.(request, tenant) ?? request, tenant);
}

/** The same words whether it is another's or nobody's. */
const unknownThing = ({ kind, id }: Thing) => notFound(kind, id, 'list yours to see what there is');

export interface References {
  refs: { kind: string; ref: ArtifactRef }[];
  objects: ObjectRef[];
}

/** Every reference in a message, however deep: a field that is added to the contract is checked from the first day on. */
export function findReferences(message: object): References {
  const found: References = { refs: [], objects: [] };
  const visit = (value: unknown, field: string): void => {
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return;
    if (isRef(value)) found.refs.push({ kind: kindOf(field), ref: value });
    else if (isObjectRef(value)) found.objects.push(value);
    // The fields of a choice are named by its case: { $case: 'base', value }.
    else for (const [key, inner] of Object.entries(value)) visit(inner, nameOf(value, key, field));
  };
  visit(message, '');
  return found;
}

const nameOf = (parent: object, key: string, field: string): string => {
  if (key === 'value' && '$case' in parent) return String(parent.$case);
  return Array.isArray(parent) ? field : key;
};

const hasFields = (value: object, ...fields: string[]) =>
  Object.keys(value).length === fields.length && fields.every((field) => field in value);
const isRef = (value: object): value is ArtifactRef => hasFields(value, 'name', 'version');
const isObjectRef = (value: object): value is ObjectRef => hasFields(value, 'key', 'sizeBytes', 'sha256');

const kindOf = (field: string): string =>
  field === 'tokenizer' ? field : /^datasets?$/.test(field) ? 'dataset' : 'model';

const modelPrefix = 'model:';

/** An empty name is the service's to refuse. */
function checkReadable({ kind, ref }: References['refs'][number], sees: Sees): void {
  const { name } = ref;
  const plain = kind === 'tokenizer' && name.startsWith(modelPrefix) ? name.slice(modelPrefix.length) : name;
  if (name && !sees.name(plain)) throw unknownName(kind, formatRef(ref));
}

/** For callers without a message: a model by its reference. */
export function checkModel(visit: Pick<Visit, 'isRefused' | 'resource'>, ref: ArtifactRef, sees: Sees): void {
  visit.resource = `models/${formatRef(ref)}`;
  visit.isRefused = !sees.name(ref.name);
  if (visit.isRefused) throw unknownName('model', formatRef(ref));
}

const unknownName = (kind: string, name: string) => notFound(kind, name, 'list them to see what there is');

/** What one has uploaded oneself, or put into one's own inbox. */
function checkObject(key: string, tenant: string): void {
  const mine = [`${objectKeys.uploadsOf(tenant)}/`, objectKeys.inbox(tenantPrefix(tenant))];
  const isPlain = !key.split('/').some((part) => part === '' || part.startsWith('.'));
  if (key && !(isPlain && mine.some((prefix) => key.startsWith(prefix))))
    throw notFound('upload', key, 'upload the file first');
}

function checkNew(names: Named[], tenant: string, sees: Sees): void {
  const wrong = names.filter(({ name }) => name && !sees.own(name));
  refuse(
    wrong.map(({ field, name }) => ({
      field,
      description: `names of tenant "${tenant}" begin with "${tenantPrefix(tenant)}"; it is ${JSON.stringify(name)}`,
    })),
  );
}

function checkChangeable({ kind, name }: Named, sees: Sees): void {
  if (!name || sees.own(name)) return;
  if (!sees.name(name)) throw unknownName(kind, name);
  throw new AppError('PERMISSION_DENIED', `${kind} "${name}" is shared: tenants may use it, not change it`);
}

/** Two tenants that choose the same request id mean two requests. */
const keepApart = <T extends object>(request: T, tenant: string): T =>
  'requestId' in request && request.requestId ? { ...request, requestId: `${tenant}/${request.requestId}` } : request;

/** What a call is about, for the audit: `datasets/acme-poems runs/01k…`. */
export function resourceOf<Request extends object>(rule: RequestRule<Request>, request: Request): string {
  const named = [...(rule.makes?.(request) ?? []), ...(rule.changes?.(request) ?? [])];
  const thing = rule.thing?.(request);
  const own = [
    ...named.filter(({ name }) => name).map(({ kind, name }) => `${kind}s/${name}`),
    ...(thing ? [`${thing.kind}s/${thing.id}`] : []),
  ];
  const refs = findReferences(request).refs.map(({ kind, ref }) => `${kind}s/${formatRef(ref)}`);
  return [...new Set(own.length ? own : refs)].join(' ').slice(0, 500);
}
