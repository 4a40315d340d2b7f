// Certificates for tests, made by openssl: an authority, and what it signs.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TlsFiles } from '#lib/platform/tls.ts';

export interface Authority {
  /** Writes `<name>.crt` and `<name>.key`, for the host names `names`; the files of an earlier one are replaced. */
  issue(name: string, names?: string[]): TlsFiles;
  readonly caFile: string;
}

const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });
const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

export function createAuthority(folder: string, name = 'ca'): Authority {
  const path = (file: string) => join(folder, file);
  const [caFile, caKey] = [path(`${name}.crt`), path(`${name}.key`)];
  openssl('req', '-x509', ...newKey, '-days', '2', '-subj', `/CN=${name}`, '-keyout', caKey, '-out', caFile);
  return {
    caFile,
    issue(subject, names = ['localhost', 'IP:127.0.0.1']) {
      const files = { tlsCertFile: path(`${subject}.crt`), tlsKeyFile: path(`${subject}.key`), tlsCaFile: caFile };
      const request = path(`${subject}.csr`);
      const extensions = path(`${subject}.ext`);
      const alternatives = names.map((one) => (one.includes(':') ? one : `DNS:${one}`)).join(',');
      writeFileSync(extensions, `subjectAltName=${alternatives}\nextendedKeyUsage=serverAuth,clientAuth\n`);
      openssl('req', ...newKey, '-subj', `/CN=${subject}`, '-keyout', files.tlsKeyFile, '-out', request);
      const signer = ['-CA', caFile, '-CAkey', caKey, '-CAcreateserial', '-days', '2', '-extfile', extensions];
      openssl('x509', '-req', '-in', request, ...signer, '-out', files.tlsCertFile);
      return files;
    },
  };
}
