// The picture in DESIGN.md as rules. Arrows point down only; the two columns (the wire, the maths) meet only in a service.
import { posix } from 'node:path';
import type { Source } from './read-sources.ts';

/** A room -> the rooms it may import from, beside itself. The deepest folder that is listed counts. */
const arrows: Record<string, string[]> = {
  'lib/tensor': [],
  'lib/model': ['lib/tensor'],
  'lib/decode': ['lib/model'],
  'lib/text': [],
  'lib/data': ['lib/text'],
  'lib/contracts': [],
  'lib/platform': ['lib/contracts'],
  services: ['lib'],
  deploy: ['lib/platform'],
  tests: ['lib', 'services', 'deploy', 'tests'],
};

const maths = ['lib/tensor', 'lib/model', 'lib/decode', 'lib/text', 'lib/data'];
/** Packages of the wire: not for the maths. */
const wirePackages =
  /^(@grpc\/|nice-grpc|pino|zod|fastify|@nats-io\/|minio|@kubernetes\/|node:(http|https|http2|net|sqlite|child_process)$)/;

const isInside = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`);
const isTest = (path: string): boolean => /\.(test|fixture)\.ts$|\.fixture\.|\/contract\//.test(path);
/** services/trainer/… -> services/trainer. */
const serviceOf = (path: string): string | undefined => /^services\/[^/]+(?=\/)/.exec(path)?.[0];
const roomOf = (path: string): string | undefined => Object.keys(arrows).find((room) => isInside(path, room));

/** Every import that is not an arrow of the picture, as a sentence. */
export function findWrongArrows({ path, imports }: Source): string[] {
  return imports.flatMap((target) => {
    const problem = isRepositoryPath(target) ? arrowProblem(path, target) : packageProblem(path, target);
    return problem ? [`${path} imports ${target}: ${problem}`] : [];
  });
}

const isRepositoryPath = (target: string): boolean => /^(lib|services|deploy|tests|proto)\//.test(target);

function packageProblem(path: string, target: string): string | undefined {
  const room = roomOf(path);
  if (!room || !maths.includes(room) || isTest(path) || !wirePackages.test(target)) return undefined;
  return `${room} is pure: it knows neither the network nor logs nor processes`;
}

function arrowProblem(path: string, target: string): string | undefined {
  const room = roomOf(path);
  if (!room) return undefined;
  // A test may look at whatever it needs as an oracle, but not across services.
  if (isTest(path) && !isInside(target, 'services')) return undefined;
  const service = serviceOf(path);
  if (service && isInside(target, 'services')) {
    if (isInside(target, service) || path === 'services/cli/up.ts') return undefined;
    return 'a service never imports another one: it speaks gRPC or events (only services/cli/up.ts starts them all)';
  }
  const allowed = [room, ...(arrows[room] ?? [])];
  if (allowed.some((each) => isInside(target, each))) return undefined;
  return `${room} may import ${arrows[room]?.length ? arrows[room].join(', ') : 'nothing but itself'}`;
}

/** Where the environment is read: configuration, what runs tests, and the start of a job's process. */
const readsEnvironment = (path: string): boolean =>
  posix.basename(path) === 'config.ts' ||
  isInside(path, 'tests') ||
  isInside(path, 'deploy') ||
  path === 'lib/platform/embedded/job-start.ts' ||
  isTest(path);

/** `process.env` outside config.ts; clock, chance and console in the maths. */
export function findHiddenInputs({ path, hiddenInputs }: Source): string[] {
  const room = roomOf(path);
  const isPure = room !== undefined && maths.includes(room) && !isTest(path);
  return hiddenInputs.flatMap((name) => {
    if (name === 'process.env') {
      return readsEnvironment(path) ? [] : [`${path} reads process.env: only a service's config.ts does`];
    }
    return isPure ? [`${path} uses ${name}: ${room} is pure, it is given such things as arguments`] : [];
  });
}

/** Words of lower-case letters and digits between dashes, then endings; Python and proto files have underscores, Helm's have names of their own. */
const kebabCase = /^\.?[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*$/;
const namedByOthers = [
  /^(README|ARCHITECTURE|LICENSE|Makefile|Dockerfile|Chart\.yaml|NOTES\.txt)/,
  /\.(py|proto)$/,
  /^_.*\.tpl$/,
  /^\./,
];

export function findWrongNames(path: string): string[] {
  if (isInside(path, 'lib/contracts/gen') || isInside(path, 'tests/parity/golden')) return [];
  const name = posix.basename(path);
  if (kebabCase.test(name) || namedByOthers.some((pattern) => pattern.test(name))) return [];
  return [`${path}: file names are kebab-case`];
}

/** What each room in services/ has to have. */
const serviceFiles = ['README.md', 'main.ts', 'config.ts', 'service.ts'];
/** It serves nothing of its own. */
const withoutService = ['services/cli'];

export function findMissingFiles(files: string[]): string[] {
  const rooms = new Set(files.map(serviceOf).filter((room) => room !== undefined));
  return [...rooms].flatMap((room) =>
    serviceFiles
      .filter((name) => name !== 'service.ts' || !withoutService.includes(room))
      .map((name) => `${room}/${name}`)
      .filter((path) => !files.includes(path))
      .map((path) => `${path} is missing (docs/adding-a-service.md)`),
  );
}
