// Configuration: environment -> schema -> typed object. Every mistake is reported at once; secrets never reach a log.
// Only a service's config.ts reads process.env, and it does so through readConfig. What settings there are: settings.ts.
import { z } from 'zod';

export type Environment = Readonly<Record<string, string | undefined>>;

/** One environment variable. `fallback` is the text that counts where it is unset or empty; without it the variable is required. */
export interface Setting<T = unknown> {
  variable: string;
  schema: z.ZodType<T>;
  fallback?: string | ((env: Environment) => string | undefined);
  isSecret?: boolean;
}

export type Settings = Record<string, Setting>;
export type Config<S extends Settings> = { readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never };

/** Hides a value from logs and JSON; `reveal()` gives it. */
export class Secret<T = string> {
  readonly #value: T;
  constructor(value: T) {
    this.#value = value;
  }
  reveal = (): T => this.#value;
  toJSON = (): string => '***';
  toString = (): string => '***';
}

/** All that is wrong with the configuration, one line each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];
  constructor(problems: string[]) {
    super(`configuration:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

export const setting = <T>(variable: string, schema: z.ZodType<T>, fallback?: Setting['fallback']): Setting<T> =>
  fallback === undefined ? { variable, schema } : { variable, schema, fallback };

/** A setting whose value no log and no error shows. */
export const secretSetting = <T = string>(
  variable: string,
  schema: z.ZodType<T>,
  fallback?: Setting['fallback'],
): Setting<Secret<T>> => ({
  ...setting(
    variable,
    schema.transform((value) => new Secret(value)),
    fallback,
  ),
  isSecret: true,
});

/** Kinds of values that are not plain text. */
export const values = {
  text: z.string(),
  integer: z.coerce.number().int(),
  positiveInteger: z.coerce.number().int().min(1),
  port: z.coerce.number().int().min(0).max(65535),
  milliseconds: z.coerce.number().min(0),
  flag: z.enum(['true', 'false', '1', '0']).transform((text) => text === 'true' || text === '1'),
};

/** Reads every setting; throws one ConfigError that lists every mistake. Also carries the environment that jobs inherit. */
export function readConfig<S extends Settings>(
  settings: S,
  env: Environment,
): Config<S> & { readonly jobEnvironment: Secret<Record<string, string>> } {
  const results = Object.entries(settings).map(([name, each]) => ({ name, ...readSetting(each, env) }));
  const problems = results.flatMap((result) => result.problems);
  if (problems.length) throw new ConfigError(problems);
  const config = Object.fromEntries(results.map(({ name, value }) => [name, value])) as Config<S>;
  return { ...config, jobEnvironment: new Secret(inheritable(env)) };
}

function readSetting({ variable, schema, fallback, isSecret }: Setting, env: Environment) {
  const text = env[variable] || (typeof fallback === 'function' ? fallback(env) : fallback);
  if (text === undefined) return { value: undefined, problems: [`${variable} is required`] };
  const { data, error } = schema.safeParse(text);
  const found = isSecret ? '' : ` (it is ${JSON.stringify(text)})`;
  return { value: data, problems: error ? error.issues.map(({ message }) => `${variable}: ${message}${found}`) : [] };
}

const inherited =
  /^(STRATA_(?!API_KEY$).*|PATH|HOME|USER|TMPDIR|LANG|LC_.*|XDG_.*|LD_LIBRARY_PATH|DYLD_.*|CUDA_.*|NVIDIA_.*|TF_.*|OMP_.*|NODE_.*|PIP_.*|SSL_CERT_.*|(HTTPS?|NO)_PROXY)$/i;

function inheritable(env: Environment): Record<string, string> {
  const pairs = Object.entries(env).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return Object.fromEntries(pairs.filter(([name]) => inherited.test(name)));
}
