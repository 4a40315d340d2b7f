import { expect, test } from '@jest/globals';
import { likeliest, sampleToken, uniformAt } from './sampling.ts';

const { abs, exp, max, sqrt } = Math;

/** Many different shapes of distribution, from flat to peaked. */
const someLogits = (size: number, number: number): Float32Array =>
  Float32Array.from({ length: size }, (_, id) => 10 * (number % 5) * uniformAt(number, id) ** 2);

const probabilitiesOf = (logits: Float32Array, temperature: number): number[] => {
  const most = logits.reduce((a, b) => max(a, b));
  const weights = [...logits].map((logit) => exp((logit - most) / temperature));
  const total = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / total);
};

/** What may be drawn, by the definition: sort everything, keep k, then keep the smallest beginning that has p of what is left. */
function support(logits: Float32Array, { temperature, topK = 0, topP = 1 }: Record<string, number>): Set<number> {
  const probabilities = probabilitiesOf(logits, temperature as number);
  const order = [...logits.keys()].sort((a, b) => (logits[b] as number) - (logits[a] as number) || a - b);
  const kept = topK > 0 ? order.slice(0, topK) : order;
  const total = kept.reduce((sum, id) => sum + (probabilities[id] as number), 0);
  const allowed = new Set<number>();
  let sum = 0;
  for (const id of kept) {
    if (sum >= topP * total - 1e-12) break;
    sum += probabilities[id] as number;
    allowed.add(id);
  }
  return allowed;
}

test('temperature 0 takes the likeliest token, the first where several are', () => {
  expect(likeliest(Float32Array.of(1, 3, 3, -1))).toBe(1);
  expect(sampleToken(Float32Array.of(-9, -3, -2), { temperature: 0, seed: 5 }, 8)).toBe(2);
});

test.each([
  { temperature: 1 },
  { temperature: 0.5 },
  { temperature: 2, topK: 3 },
  { temperature: 1, topP: 0.8 },
  { temperature: 1.3, topK: 5, topP: 0.9 },
])('tokens are drawn as often as their probabilities say: %j', (sampling) => {
  const logits = Float32Array.of(1, 2.5, 0.3, 2, -1, 0, 1.5, 2.5);
  const allowed = support(logits, sampling);
  const expected = probabilitiesOf(logits, sampling.temperature).map((p, id) => (allowed.has(id) ? p : 0));
  const total = expected.reduce((a, b) => a + b);
  const draws = 20_000;
  const counts = expected.map(() => 0);
  for (let i = 0; i < draws; i++) {
    const id = sampleToken(logits, { ...sampling, seed: 3 }, i);
    counts[id] = (counts[id] ?? 0) + 1;
  }
  for (const [id, weight] of expected.entries()) {
    const p = weight / total;
    expect(abs((counts[id] ?? 0) / draws - p)).toBeLessThanOrEqual(5 * sqrt((p * (1 - p)) / draws));
  }
});

test('top-k and top-p keep exactly the tokens that sorting everything keeps', () => {
  for (let number = 0; number < 40; number++) {
    const logits = someLogits(300, number);
    const sampling = {
      temperature: 0.3 + (number % 7) / 3,
      topK: [0, 1, 7, 100, 1000][number % 5] as number,
      topP: [0.1, 0.5, 0.95, 1][number % 4] as number,
    };
    const allowed = support(logits, sampling);
    const drawn = new Set(Array.from({ length: 200 }, (_, i) => sampleToken(logits, { ...sampling, seed: number }, i)));
    expect([...drawn].filter((id) => !allowed.has(id))).toEqual([]);
    if (allowed.size < 20) expect(drawn.size).toBeGreaterThan(allowed.size / 2);
  }
});

test('far-off tokens are found when the near ones do not suffice', () => {
  const logits = Float32Array.from({ length: 50 }, (_, id) => -40 * id);
  expect(sampleToken(logits, { temperature: 1, topK: 20, seed: 1 }, 0)).toBe(0);
  const flat = new Float32Array(50);
  const drawn = new Set(
    Array.from({ length: 500 }, (_, i) => sampleToken(flat, { temperature: 1, topP: 0.5, seed: 1 }, i)),
  );
  expect(drawn.size).toBe(25);
});

test('chance is a function of seed and place: uniform, different from seed to seed and from place to place', () => {
  const values = Array.from({ length: 10_000 }, (_, i) => uniformAt(42, i));
  expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
  expect(abs(values.reduce((a, b) => a + b) / values.length - 0.5)).toBeLessThan(0.02);
  const seeds = [0, 1, 2, 2 ** 31, 2 ** 53 - 1];
  expect(new Set(seeds.flatMap((seed) => [0, 1, 2].map((index) => uniformAt(seed, index)))).size).toBe(15);
  expect(uniformAt(42, 7)).toBe(values[7]);
});
