// Keys of the edge: 256 random bits, shown once; what is kept is their SHA-256. So much chance needs no salt and no slow hash.
import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { tenantPattern, tenantRule } from '#lib/contracts/keys.ts';

export const scopes = ['inference', 'read', 'write', 'admin'] as const;
export type Scope = (typeof scopes)[number];

const includes: Record<Scope, readonly Scope[]> = {
  inference: ['inference'],
  read: ['read'],
  write: ['write', 'read'],
  admin: scopes,
};

export const permits = (granted: readonly Scope[], needed: Scope): boolean =>
  granted.some((scope) => includes[scope].includes(needed));

/** For each replica of the gateway; what is absent has no limit of its own. */
export const limitsSchema = z.strictObject({
  requestsPerMinute: z.number().positive().optional(),
  /** Prompt and answer; counted when an answer ends. */
  tokensPerMinute: z.number().positive().optional(),
  /** Calls at once, streams among them. */
  concurrent: z.number().int().positive().optional(),
});
export type Limits = z.output<typeof limitsSchema>;

export const keyEntrySchema = z.strictObject({
  /** In logs, audit events and error messages. */
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'must be 1 to 63 letters, digits, dots and dashes'),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hexadecimal digits'),
  /** Whose key it is; absent: the platform's own, which sees everything. */
  tenant: z.string().regex(tenantPattern, tenantRule).optional(),
  scopes: z.array(z.enum(scopes)).min(1, 'must name at least one scope'),
  expires: z
    .string()
    .refine((text) => !Number.isNaN(Date.parse(text)), 'must be a date such as 2027-01-31T00:00:00Z')
    .optional(),
  limits: limitsSchema.optional(),
});
export type KeyEntry = z.output<typeof keyEntrySchema>;

export const createApiKey = (random = randomBytes(32)): string => `strata_${random.toString('base64url')}`;

export const hashApiKey = (key: string): Buffer => createHash('sha256').update(key).digest();
