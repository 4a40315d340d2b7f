// docker, kind, helm and kubectl: the machine's own where they are good enough, else the pinned ones of deploy/tools.json, put first on PATH.
import { delimiter } from 'node:path';
import { fetchTool } from '#lib/platform/artifacts.ts';
import { readConfig } from '#lib/platform/config.ts';
import { platformSettings } from '#lib/platform/settings.ts';
import { exec } from './exec.ts';

interface Program {
  name: string;
  versionArgs: string[];
  /** What the version line of one that will do looks like. */
  fits: RegExp;
}

const fetched: Program[] = [
  { name: 'kind', versionArgs: ['version'], fits: /kind v0\.(2[6-9]|[3-9]\d)/ },
  { name: 'helm', versionArgs: ['version', '--short'], fits: /^v4\./ },
  { name: 'kubectl', versionArgs: ['version', '--client'], fits: /Client Version: v1\.3[3-9]/ },
];

/** Changes this process's PATH; says what is used. */
export async function findTools(): Promise<string> {
  await findDocker();
  const { cacheDir } = readConfig({ cacheDir: platformSettings.cacheDir }, process.env);
  const used: string[] = [];
  for (const program of fetched) {
    if (!(await isHere(program))) {
      process.env.PATH = `${await fetchTool(program.name, { cacheDir })}${delimiter}${process.env.PATH ?? ''}`;
    }
    used.push((await exec(program.name, program.versionArgs)).split('\n')[0]?.replace(/\+.*/, '') ?? program.name);
  }
  return used.join(', ');
}

async function findDocker(): Promise<void> {
  try {
    await exec('docker', ['info', '--format', '{{.ServerVersion}}'], { timeoutMs: 30_000 });
  } catch (cause) {
    const hint = 'start it (docker.com, or `apt-get install docker.io`); on a machine without an image registry, bring';
    throw new Error(`a docker daemon is needed and none answers: ${hint} node images of your own (KIND_NODE_IMAGE)`, {
      cause,
    });
  }
}

async function isHere({ name, versionArgs, fits }: Program): Promise<boolean> {
  try {
    return fits.test(await exec(name, versionArgs, { timeoutMs: 30_000 }));
  } catch {
    return false;
  }
}
