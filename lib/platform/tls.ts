// TLS of gRPC. Between services it is mutual: both sides show a certificate of one authority, which should sign nothing else.
// Certificates that are replaced on disk (cert-manager does) serve the next connection; those that stand go on.
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { ChannelCredentials, experimental, ServerCredentials } from '@grpc/grpc-js';
import { setting, values } from './config.ts';
import { type Followed, followFiles } from './follow-files.ts';
import type { Logger } from './log.ts';

export const tlsVariables = ['STRATA_TLS_CERT_FILE', 'STRATA_TLS_KEY_FILE', 'STRATA_TLS_CA_FILE'] as const;

/** Paths; empty ones are none. */
export interface TlsFiles {
  readonly tlsCertFile: string;
  readonly tlsKeyFile: string;
  readonly tlsCaFile: string;
}

// Without a fallback a setting is required: all three, or none.
const pathSetting = (variable: string) =>
  setting(variable, values.text, (env) => (tlsVariables.some((one) => env[one]) ? undefined : ''));

/** Mutual TLS between services: all three or none. */
export const tlsSettings = {
  tlsCertFile: pathSetting(tlsVariables[0]),
  tlsKeyFile: pathSetting(tlsVariables[1]),
  tlsCaFile: pathSetting(tlsVariables[2]),
};

export interface TlsOptions {
  /** Is told of new certificates, and of ones that make no sense. */
  log?: Logger | undefined;
  /** How often the files are looked at. Default 10 s. */
  everyMs?: number | undefined;
}

/** What a server listens with: plain without files; with them, clients must show a certificate of the authority. */
export function serverCredentials(files: Partial<TlsFiles>, options: TlsOptions = {}): ServerCredentials {
  return files.tlsCertFile ? new FileCredentials(namedFiles(files), options) : ServerCredentials.createInsecure();
}

/** What a client connects with: it shows its certificate, and the server's must be the authority's and carry the name it is called by. */
export function clientCredentials(files: Partial<TlsFiles>, options: TlsOptions = {}): ChannelCredentials {
  if (!files.tlsCertFile) return ChannelCredentials.createInsecure();
  const provider = createProvider(namedFiles(files), options);
  return experimental.createCertificateProviderChannelCredentials(provider, provider, {});
}

/** Shows a certificate and asks for none, for callers who bring a key or a token. `files`: setting -> path of certificate and key. */
export const oneWayCredentials = (files: Record<string, string>, options: TlsOptions = {}): ServerCredentials =>
  new FileCredentials(files, options);

const namedFiles = ({ tlsCertFile = '', tlsKeyFile = '', tlsCaFile = '' }: Partial<TlsFiles>) => ({
  [tlsVariables[0]]: tlsCertFile,
  [tlsVariables[1]]: tlsKeyFile,
  [tlsVariables[2]]: tlsCaFile,
});

interface Certificates {
  cert: Buffer;
  key: Buffer;
  /** With an authority, the other side must show a certificate of it. */
  ca: Buffer | undefined;
}

interface FollowCertificates extends TlsOptions {
  files: Record<string, string>;
  onChange: (certificates: Certificates) => void;
}

export const followCertificates = ({ files, log, everyMs, onChange }: FollowCertificates): Followed<Certificates> =>
  followFiles({
    files,
    parse: toCertificates,
    ...(everyMs !== undefined && { everyMs }),
    onChange(certificates) {
      onChange(certificates);
      log?.info({ files }, 'new certificates');
    },
    onProblem: (error) => log?.warn({ error, files }, 'new certificates make no sense; the old ones go on serving'),
  });

/** @throws {Error} where a file is no PEM, or the key is not the certificate's: both are being replaced just now */
function toCertificates([cert = Buffer.alloc(0), key = Buffer.alloc(0), ca]: Buffer[]): Certificates {
  createSecureContext({ cert, key, ...(ca && { ca }) });
  return { cert, key, ca };
}

const toContext = ({ cert, key, ca }: Certificates): SecureContextOptions => ({ cert, key, ...(ca && { ca }) });

/** Credentials of a server whose files are followed for as long as the process lives. */
class FileCredentials extends ServerCredentials {
  constructor(files: Record<string, string>, options: TlsOptions) {
    const followed = followCertificates({
      ...options,
      files,
      onChange: (certificates) => this.updateSecureContextOptions(toContext(certificates)),
    });
    const isMutual = followed.current.ca !== undefined;
    super({ requestCert: isMutual, rejectUnauthorized: isMutual }, toContext(followed.current));
  }
  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

/** For clients, in grpc-js's form; its own file watcher would take a certificate without its key. */
function createProvider(files: Record<string, string>, options: TlsOptions): experimental.CertificateProvider {
  const caListeners = new Set<experimental.CaCertificateUpdateListener>();
  const identityListeners = new Set<experimental.IdentityCertificateUpdateListener>();
  const caUpdate = ({ ca }: Certificates) => (ca ? { caCertificate: ca } : null);
  const identityUpdate = ({ cert, key }: Certificates) => ({ certificate: cert, privateKey: key });
  const followed = followCertificates({
    ...options,
    files,
    onChange(certificates) {
      for (const listener of caListeners) listener(caUpdate(certificates));
      for (const listener of identityListeners) listener(identityUpdate(certificates));
    },
  });
  return {
    addCaCertificateListener(listener) {
      caListeners.add(listener);
      listener(caUpdate(followed.current));
    },
    removeCaCertificateListener: (listener) => void caListeners.delete(listener),
    addIdentityCertificateListener(listener) {
      identityListeners.add(listener);
      listener(identityUpdate(followed.current));
    },
    removeIdentityCertificateListener: (listener) => void identityListeners.delete(listener),
  };
}
