// How fast a run goes, and when it will be done: from the clock readings it is given. Pure.

export interface PaceReading {
  stepSeconds: number;
  tokensPerSecond: number;
  remainingSeconds: number;
}

export interface Pace {
  step(seconds: number, tokens: number): void;
  evaluation(seconds: number): void;
  /** After the last reported step, which was number `step` of the run. */
  read(step: number): PaceReading;
}

/** A reading's share in the running mean. */
const weight = 0.05;

/** The first step is not counted: it compiles. `evalEvery` 0: no evaluations to come. */
export const createPace = ({ maxSteps, evalEvery }: { maxSteps: number; evalEvery: number }): Pace => {
  let steps = 0;
  let mean = { seconds: 0, tokens: 0 };
  let lastSeconds = 0;
  let evaluationSeconds = 0;
  return {
    step(seconds, tokens) {
      steps += 1;
      lastSeconds = seconds;
      const share = steps <= 2 ? 1 : weight;
      mean = { seconds: mix(mean.seconds, seconds, share), tokens: mix(mean.tokens, tokens, share) };
    },
    evaluation(seconds) {
      evaluationSeconds = seconds;
    },
    read(step) {
      const isLast = step >= maxSteps;
      const evaluations = evalEvery && !isLast ? Math.ceil(maxSteps / evalEvery) - Math.floor(step / evalEvery) : 0;
      const left = (maxSteps - step) * mean.seconds + evaluations * evaluationSeconds;
      const tokensPerSecond = mean.tokens / mean.seconds;
      return { stepSeconds: lastSeconds, tokensPerSecond, remainingSeconds: steps < 2 ? 0 : left };
    },
  };
};

const mix = (mean: number, value: number, share: number): number => mean + share * (value - mean);
