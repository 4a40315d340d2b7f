// The two files that the chart mounts: what every job looks like, and the resource profiles to choose from. YAML or JSON.
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import { failedPrecondition } from '../errors.ts';
import type { JobObject } from './objects.ts';

const texts = z.record(z.string(), z.string());

const templateSchema = z.looseObject({
  metadata: z.looseObject({ labels: texts.optional(), annotations: texts.optional() }).optional(),
  spec: z.looseObject({
    template: z.looseObject({
      spec: z.looseObject({
        containers: z.array(z.looseObject({ name: z.string(), image: z.string().optional() })).min(1),
      }),
    }),
  }),
});

/** A Job without a name. */
export type JobTemplate = Omit<JobObject, 'metadata'> & { metadata?: Partial<JobObject['metadata']> };

const quantities = z.record(z.string(), z.union([z.string(), z.number()]));

const profileSchema = z.strictObject({
  /** What the job computes on: STRATA_DEVICE. */
  device: z.enum(['cpu', 'cuda']).default('cpu'),
  image: z.string().optional(),
  /** Names such as `nvidia.com/gpu` or `nvidia.com/mig-1g.10gb` are values like any other. */
  resources: z.strictObject({ requests: quantities.optional(), limits: quantities.optional() }).optional(),
  nodeSelector: texts.default({}),
  tolerations: z.array(z.looseObject({})).default([]),
  affinity: z.looseObject({}).optional(),
  runtimeClassName: z.string().optional(),
  priorityClassName: z.string().optional(),
  schedulerName: z.string().optional(),
  env: texts.default({}),
});

export type Profile = z.infer<typeof profileSchema>;
export type Profiles = Readonly<Record<string, Profile>>;

/** @throws {AppError} FAILED_PRECONDITION that names the file and every wrong field */
export const parseTemplate = (text: string, path: string): JobTemplate =>
  parseFile(templateSchema, text, path) as unknown as JobTemplate;

/** @throws {AppError} FAILED_PRECONDITION that names the file and every wrong field */
export const parseProfiles = (text: string, path: string): Profiles =>
  parseFile(z.record(z.string(), profileSchema), text, path);

function parseFile<T>(schema: z.ZodType<T>, text: string, path: string): T {
  const { data, error } = schema.safeParse(parseText(text, path));
  if (data !== undefined) return data;
  const problems = error?.issues.map((issue) => `${issue.path.join('.') || 'the file'}: ${issue.message}`);
  throw failedPrecondition(`${path}: ${problems?.join('; ')}`);
}

function parseText(text: string, path: string): unknown {
  try {
    return parse(text);
  } catch (cause) {
    throw failedPrecondition(`${path} is neither YAML nor JSON: ${(cause as Error).message}`, { cause });
  }
}

/** Read for every job: what the chart replaces counts from the next one on. */
export async function readJobFiles(paths: {
  jobTemplateFile: string;
  jobProfilesFile: string;
}): Promise<{ template: JobTemplate; profiles: Profiles }> {
  const [template, profiles] = await Promise.all([
    read('STRATA_JOB_TEMPLATE_FILE', paths.jobTemplateFile),
    read('STRATA_JOB_PROFILES_FILE', paths.jobProfilesFile),
  ]);
  return {
    template: parseTemplate(template, paths.jobTemplateFile),
    profiles: parseProfiles(profiles, paths.jobProfilesFile),
  };
}

const read = (setting: string, path: string): Promise<string> =>
  readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw failedPrecondition(`${setting}: ${path} cannot be read (${cause.code})`, { cause });
  });
