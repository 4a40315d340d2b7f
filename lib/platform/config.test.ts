import { expect, test } from '@jest/globals';
import { z } from 'zod';
import { type ConfigError, readConfig, secretSetting, setting, values } from './config.ts';
import { addressOf, commonSettings } from './settings.ts';

const problemsOf = (read: () => unknown): readonly string[] => {
  try {
    read();
    return [];
  } catch (error) {
    return (error as ConfigError).problems;
  }
};

test('an empty environment gives the documented defaults', () => {
  const settings = { ...commonSettings('data-sampler'), tokenizerAddress: addressOf('tokenizer') };
  expect(readConfig(settings, { HOME: '/home/a' })).toMatchObject({
    broker: 'embedded',
    objectStore: 'embedded',
    jobRunner: 'embedded',
    home: '/home/a/.strata',
    cacheDir: '/home/a/.cache/strata',
    bind: '127.0.0.1',
    port: 50052,
    device: 'cpu',
    logLevel: 'info',
    tokenizerAddress: '127.0.0.1:50051',
  });
});

test('an empty variable counts as unset', () => {
  expect(readConfig(commonSettings('trainer'), { HOME: '/h', STRATA_HOME: '' }).home).toBe('/h/.strata');
});

test("another service's address follows its port, unless it is given", () => {
  const address = (env: Record<string, string>) => readConfig({ address: addressOf('data-sampler') }, env).address;
  expect(address({ STRATA_DATA_SAMPLER_PORT: '7' })).toBe('127.0.0.1:7');
  expect(address({ STRATA_DATA_SAMPLER_PORT: '7', STRATA_DATA_SAMPLER_ADDRESS: 'dns:///sampler:8' })).toBe(
    'dns:///sampler:8',
  );
});

test('every mistake is reported at once, by its variable', () => {
  const settings = { ...commonSettings('trainer'), token: setting('STRATA_TOKEN', values.text) };
  const env = { HOME: '/h', STRATA_TRAINER_PORT: '99999', STRATA_DEVICE: 'abacus' };
  const problems = problemsOf(() => readConfig(settings, env));
  expect(problems.map((problem) => problem.split(/[ :]/)[0])).toEqual([
    'STRATA_DEVICE',
    'STRATA_TRAINER_PORT',
    'STRATA_TOKEN',
  ]);
  expect(problems.join('\n')).toContain('"abacus"');
});

test('a secret is in no log, no JSON, no text, and not in the report of a mistake', () => {
  const token = secretSetting('STRATA_TOKEN', z.string().min(5));
  const config = readConfig({ token }, { STRATA_TOKEN: 'hunter2' });
  expect(config.token.reveal()).toBe('hunter2');
  expect(`${JSON.stringify(config)} ${config.token} ${Object.entries(config.token)}`).not.toContain('hunter2');
  const problems = problemsOf(() => readConfig({ token }, { STRATA_TOKEN: 'hunt' }));
  expect(problems).toEqual([expect.stringMatching(/^STRATA_TOKEN: Too small/)]);
  expect(problems.join()).not.toContain('"hunt"');
});

test('jobs inherit what concerns Strata and the machine, nothing else', () => {
  const { jobEnvironment } = readConfig(
    {},
    { STRATA_X: '1', PATH: '/bin', CUDA_VISIBLE_DEVICES: '0', AWS_SECRET_ACCESS_KEY: 's', STRATA_API_KEY: 's' },
  );
  expect(jobEnvironment.reveal()).toEqual({ STRATA_X: '1', PATH: '/bin', CUDA_VISIBLE_DEVICES: '0' });
  expect(JSON.stringify({ jobEnvironment })).toBe('{"jobEnvironment":"***"}');
});
