// The catalogue of events: subjects, and what each one carries. Events are CloudEvents 1.0 in structured JSON; delivery is at least once.
import { z } from 'zod';

const ref = z.object({ name: z.string(), version: z.string() });
const object = z.object({ key: z.string(), sizeBytes: z.number(), sha256: z.string() });
const labels = z.record(z.string(), z.string()).default({});

export const subjects = {
  datasetCommitted: 'strata.dataset.committed',
  labelsAdded: 'strata.labels.added',
  runStarted: 'strata.run.started',
  runProgressed: 'strata.run.progressed',
  checkpointSaved: 'strata.checkpoint.saved',
  runFinished: 'strata.run.finished',
  runFailed: 'strata.run.failed',
  evaluationCompleted: 'strata.evaluation.completed',
  modelRegistered: 'strata.model.registered',
  modelPromoted: 'strata.model.promoted',
  auditRecorded: 'strata.audit.recorded',
} as const;
export type Subject = (typeof subjects)[keyof typeof subjects];

const payloads = {
  'strata.dataset.committed': z.object({ dataset: ref, prefix: z.string(), sha256: z.string() }),
  /** One labelled file was put under inbox/<task>/. */
  'strata.labels.added': z.object({ task: z.string(), object, examples: z.number() }),
  'strata.run.started': z.object({ runId: z.string(), attempt: z.number(), labels }),
  'strata.run.progressed': z.object({
    runId: z.string(),
    step: z.number(),
    totalSteps: z.number(),
    loss: z.number(),
    labels,
  }),
  'strata.checkpoint.saved': z.object({ runId: z.string(), step: z.number(), prefix: z.string() }),
  /** `model`: the registered result. */
  'strata.run.finished': z.object({ runId: z.string(), model: ref, labels }),
  /** `cancelled`: somebody wanted it so. */
  'strata.run.failed': z.object({
    runId: z.string(),
    error: z.string(),
    cancelled: z.boolean().default(false),
    labels,
  }),
  'strata.evaluation.completed': z.object({
    evaluationId: z.string(),
    model: ref,
    phase: z.enum(['succeeded', 'failed']),
    error: z.string().default(''),
    labels,
  }),
  'strata.model.registered': z.object({ model: ref, prefix: z.string(), sha256: z.string() }),
  'strata.model.promoted': z.object({
    model: ref,
    alias: z.string(),
    /** Where the alias pointed before; empty: nowhere. */
    previousVersion: z.string().default(''),
    reason: z.string().default(''),
  }),
  /** Somebody outside has changed something, or tried to, through the gateway. Never carries what was sent. */
  'strata.audit.recorded': z.object({
    requestId: z.string(),
    /** Key's name or token's subject, and which of the two. */
    key: z.string(),
    kind: z.string(),
    tenant: z.string(),
    action: z.string(),
    resource: z.string(),
    outcome: z.string(),
    address: z.string(),
  }),
} satisfies Record<Subject, z.ZodType>;

export type Payload<S extends Subject> = z.output<(typeof payloads)[S]>;
export type PayloadInput<S extends Subject> = z.input<(typeof payloads)[S]>;

/** CloudEvents 1.0 in structured JSON. */
export interface StrataEvent<T = unknown> {
  specversion: '1.0';
  /** Names the occurrence: publishing the same id again changes nothing. */
  id: string;
  /** Who says so: `strata/trainer`. */
  source: string;
  /** The subject it is published on: `strata.dataset.committed`. */
  type: string;
  /** What it is about: a run's id, `models/gpt2/v3`. */
  subject?: string;
  /** RFC 3339. */
  time: string;
  datacontenttype: 'application/json';
  /** The trace that it belongs to (CloudEvents' distributed tracing extension); put there when it is published. */
  traceparent?: string;
  data: T;
}

export interface EventOptions<S extends Subject> {
  /** Derived from what happened (`run.finished/<run id>`), not random: then saying it twice is saying it once. */
  id: string;
  /** The service that speaks. */
  source: string;
  /** What it is about. */
  about?: string;
  data: PayloadInput<S>;
  time?: Date;
}

export function createEvent<S extends Subject>(
  type: S,
  { id, source, about, data, time = new Date() }: EventOptions<S>,
): StrataEvent<Payload<S>> {
  return {
    specversion: '1.0',
    id,
    source: `strata/${source}`,
    type,
    ...(about !== undefined && { subject: about }),
    time: time.toISOString(),
    datacontenttype: 'application/json',
    data: payloads[type].parse(data) as Payload<S>,
  };
}

/** The event's data, checked. Undefined where it is another event or does not carry what the catalogue says. */
export function readEvent<S extends Subject>(type: S, event: StrataEvent): Payload<S> | undefined {
  if (event.type !== type) return undefined;
  const parsed = payloads[type].safeParse(event.data);
  return parsed.success ? (parsed.data as Payload<S>) : undefined;
}
