// What goes wrong between us and an S3 store, as AppErrors that say what to do; and what is worth another try.
import { AppError, type ErrorCode, isAbortError, isAppError, notFound } from '../errors.ts';

/** Where requests go, for messages. */
export interface Place {
  endpoint: string;
  bucket: string;
}

/** The code that S3 gave (`NoSuchKey`), or Node (`ECONNREFUSED`), or the HTTP status that the client hides in its message. */
export function codeOf(error: unknown): string {
  const { code, Code, message = '' } = error as { code?: unknown; Code?: unknown; message?: string };
  return String(code || Code || /Retryable HTTP status: (\d+)/.exec(message)?.[1] || '');
}

const networkCodes =
  /^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EAI_AGAIN|ENOTFOUND|EHOSTUNREACH|ENETUNREACH|ERR_STREAM_PREMATURE_CLOSE)$/;
const busyCodes =
  /^(408|429|499|5\d\d|SlowDown|InternalError|ServiceUnavailable|RequestTimeout|OperationAborted|ConditionalRequestConflict)$/;
const garbledCodes = /^(BadDigest|XAmzContentSHA256Mismatch|XAmzContentChecksumMismatch|IncompleteBody)$/;
const certificateCodes = /CERT|UNABLE_TO_(VERIFY|GET_ISSUER)|ERR_TLS/;

/** Whether the same request may succeed in a moment. */
export function isTransient(error: unknown): boolean {
  if (isAppError(error) || isAbortError(error)) return false;
  const code = codeOf(error);
  return networkCodes.test(code) || busyCodes.test(code) || garbledCodes.test(code);
}

/** Any error of a request; `key`: the object it was about. */
export function explain(error: unknown, place: Place, key = ''): unknown {
  if (isAppError(error) || isAbortError(error)) return error;
  const code = codeOf(error);
  if (code === 'NoSuchKey' || code === 'NotFound') return notFound('object', key);
  const known = answers[code] ?? answerOfKind(code);
  if (!known) return error;
  const [appCode, say] = known;
  return new AppError(appCode, say({ ...place, key, code }), {
    cause: withoutKeys(error),
    details: { ...place, code },
  });
}

/** S3 repeats who signed what in its errors; logs keep the text, and what its support asks for. */
function withoutKeys(error: unknown): unknown {
  const { amzRequestid, message, stack } = error as Error & { amzRequestid?: string };
  return amzRequestid ? Object.assign(new Error(message), { amzRequestid, code: codeOf(error), stack }) : error;
}

type Answer = [ErrorCode, (facts: Place & { key: string; code: string }) => string];

const rejected: Answer = [
  'UNAUTHENTICATED',
  ({ endpoint, code }) =>
    `the object store at ${endpoint} does not accept our key (${code}): check STRATA_S3_ACCESS_KEY and STRATA_S3_SECRET_KEY`,
];
const forbidden: Answer = [
  'PERMISSION_DENIED',
  ({ endpoint, bucket, key }) =>
    `the object store at ${endpoint} forbids this to our key (bucket "${bucket}"${key && `, object "${key}"`}): ` +
    'its policy must allow s3:ListBucket, GetObject, PutObject and DeleteObject',
];
const full: Answer = [
  'RESOURCE_EXHAUSTED',
  ({ endpoint, key, code }) =>
    `no space left in the object store at ${endpoint} for object "${key}" (${code}); free some or add storage`,
];
const wrongRegion: Answer = [
  'FAILED_PRECONDITION',
  ({ endpoint, bucket, code }) =>
    `bucket "${bucket}" at ${endpoint} is in another region (${code}): set STRATA_S3_REGION`,
];
const folderOfAnother: Answer = [
  'FAILED_PRECONDITION',
  ({ key }) => `object "${key}": another object is its folder, or it is another object's`,
];

const answers: Record<string, Answer> = {
  InvalidAccessKeyId: rejected,
  SignatureDoesNotMatch: rejected,
  InvalidTokenId: rejected,
  ExpiredToken: rejected,
  AccessDenied: forbidden,
  AllAccessDisabled: forbidden,
  XMinioStorageFull: full,
  XMinioAdminBucketQuotaExceeded: full,
  QuotaExceeded: full,
  AuthorizationHeaderMalformed: wrongRegion,
  PermanentRedirect: wrongRegion,
  MovedPermanently: wrongRegion,
  XMinioParentIsObject: folderOfAnother,
  XMinioObjectExistsAsDirectory: folderOfAnother,
  RequestTimeTooSkewed: [
    'FAILED_PRECONDITION',
    ({ endpoint }) =>
      `the clocks of this machine and of the object store at ${endpoint} differ by more than 15 minutes`,
  ],
  NoSuchBucket: [
    'FAILED_PRECONDITION',
    ({ endpoint, bucket }) =>
      `the object store at ${endpoint} has no bucket "${bucket}": create it, or set STRATA_S3_BUCKET`,
  ],
  PreconditionFailed: ['ALREADY_EXISTS', ({ key }) => `object "${key}" exists already`],
  EntityTooLarge: ['INVALID_ARGUMENT', ({ key }) => `object "${key}" is larger than this object store takes`],
};

function answerOfKind(code: string): Answer | undefined {
  if (garbledCodes.test(code)) {
    return [
      'DATA_LOSS',
      ({ endpoint, key }) => `object "${key}" was damaged on its way to ${endpoint}, every time (${code})`,
    ];
  }
  if (networkCodes.test(code) || busyCodes.test(code)) {
    const say = ({ endpoint }: Place) =>
      `the object store at ${endpoint} does not answer (${code}): is it running, and is STRATA_S3_ENDPOINT right?`;
    return ['UNAVAILABLE', say];
  }
  if (certificateCodes.test(code)) {
    const say = ({ endpoint }: Place) =>
      `the certificate of the object store at ${endpoint} is not trusted (${code}): STRATA_S3_CA_FILE names the authority's PEM file`;
    return ['FAILED_PRECONDITION', say];
  }
  if (/^(EPROTO|HPE_)/.test(code)) {
    const say = ({ endpoint }: Place) =>
      `${endpoint} does not speak as expected (${code}): http instead of https, or the other way?`;
    return ['FAILED_PRECONDITION', say];
  }
  return undefined;
}
