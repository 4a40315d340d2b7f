// The chart's own check, which a user runs after installing: `helm test`.
import { expect, test } from '@jest/globals';
import { release } from '../frame/places.ts';
import { helm } from '../support/kubectl.ts';

test('helm test says that every service answers', async () => {
  const said = await helm(['test', release.name, '--timeout=3m']);
  expect(said).toMatch(/Phase:\s+Succeeded/);
  expect(said).not.toMatch(/Phase:\s+Failed/);
}, 200_000);
