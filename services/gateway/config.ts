// The gateway's configuration.
import { z } from 'zod';
import { ConfigError, type Environment, readConfig, type Setting, setting, values } from '#lib/platform/config.ts';
import { addressOf, commonSettings } from '#lib/platform/settings.ts';

/** Settings that come together or not at all: without a fallback a setting is required. */
const togetherWith =
  (...variables: string[]): Setting['fallback'] =>
  (env) =>
    variables.some((variable) => env[variable]) ? undefined : '';

const jwt = ['ISSUER', 'AUDIENCE', 'JWKS_URL', 'JWKS_FILE'].map((name) => `STRATA_GATEWAY_JWT_${name}`);
const certificate = ['STRATA_GATEWAY_TLS_CERT_FILE', 'STRATA_GATEWAY_TLS_KEY_FILE'] as const;
const limit = (name: string) => setting(`STRATA_GATEWAY_${name}`, z.coerce.number().min(0), '0');

const settings = {
  ...commonSettings('gateway'),
  inferenceAddress: addressOf('inference'),
  weightLoaderAddress: addressOf('weight-loader'),
  tokenizerAddress: addressOf('tokenizer'),
  dataSamplerAddress: addressOf('data-sampler'),
  trainerAddress: addressOf('trainer'),
  evaluatorAddress: addressOf('evaluator'),
  orchestratorAddress: addressOf('orchestrator'),
  /** Largest request body. */
  maxBodyBytes: setting('STRATA_GATEWAY_MAX_BODY_BYTES', values.positiveInteger, String(4 * 1024 * 1024)),
  /** The most that one call may send over gRPC, all messages together: uploads. */
  maxUploadBytes: setting('STRATA_GATEWAY_MAX_UPLOAD_BYTES', values.positiveInteger, String(64 * 1024 ** 3)),
  /** Longest answer in time: what takes longer ends with a time-out. */
  requestTimeoutMs: setting('STRATA_GATEWAY_REQUEST_TIMEOUT_MS', values.milliseconds, String(10 * 60_000)),
  /** How long a request may wait for inference to start (scale from zero); 0: not at all. */
  holdMs: setting('STRATA_GATEWAY_HOLD_MS', values.milliseconds, '0'),
  /** Where all services are served to the outside over gRPC: a port, 0 for a free one, or `off`. */
  grpcPort: setting('STRATA_GATEWAY_GRPC_PORT', z.union([z.literal('off'), values.port]), 'off'),
  /** Who may come in: a list of hashed keys, JSON web tokens, or both; neither: anybody. */
  keysFile: setting('STRATA_GATEWAY_KEYS_FILE', values.text, ''),
  jwtIssuer: setting('STRATA_GATEWAY_JWT_ISSUER', values.text, togetherWith(...jwt)),
  jwtAudience: setting('STRATA_GATEWAY_JWT_AUDIENCE', values.text, togetherWith(...jwt)),
  jwtJwksUrl: setting('STRATA_GATEWAY_JWT_JWKS_URL', z.union([z.literal(''), z.url()]), ''),
  jwtJwksFile: setting('STRATA_GATEWAY_JWT_JWKS_FILE', values.text, ''),
  /** Models, datasets and tokenizers that every tenant may read. */
  sharedNames: setting(
    'STRATA_GATEWAY_SHARED_NAMES',
    values.text.transform((text) =>
      text
        .split(',')
        .map((name) => name.trim())
        .filter(Boolean),
    ),
    'gpt2',
  ),
  /** For callers without limits of their own; 0: none. */
  requestsPerMinute: limit('REQUESTS_PER_MINUTE'),
  tokensPerMinute: limit('TOKENS_PER_MINUTE'),
  concurrent: limit('CONCURRENT'),
  /** What is shown to the outside; none: plain, for an ingress to terminate TLS. */
  edgeCertFile: setting(certificate[0], values.text, togetherWith(...certificate)),
  edgeKeyFile: setting(certificate[1], values.text, togetherWith(...certificate)),
};

export function loadConfig(env: Environment = process.env) {
  const config = readConfig(settings, env);
  const sources = [config.jwtJwksUrl, config.jwtJwksFile].filter(Boolean).length;
  if (config.jwtIssuer && sources !== 1) {
    throw new ConfigError([
      'STRATA_GATEWAY_JWT_JWKS_URL, STRATA_GATEWAY_JWT_JWKS_FILE: exactly one of them is required',
    ]);
  }
  return config;
}
export type GatewayConfig = ReturnType<typeof loadConfig>;
