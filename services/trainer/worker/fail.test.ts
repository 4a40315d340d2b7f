import { expect, test } from '@jest/globals';
import { ModelFormatError } from '#lib/model/formats/byte-source.ts';
import { AppError, failedPrecondition } from '#lib/platform/errors.ts';
import { LibraryError, TensorFlowError } from '#lib/tensor/errors.ts';
import { toFailure } from './fail.ts';

test.each([
  ['a service that is away', new AppError('UNAVAILABLE', 'connection refused'), false],
  ['a deadline', new AppError('DEADLINE_EXCEEDED', 'no answer'), false],
  ['a bug', new TypeError('x is undefined'), false],
  ['a loss that is NaN', failedPrecondition('the loss is NaN'), true],
  ['a damaged shard', new AppError('DATA_LOSS', 'shard 3 is damaged'), true],
  ['a model that cannot be read', new ModelFormatError('no config.json'), true],
  ['a library that is missing', new LibraryError('libtensorflow is not installed'), true],
  ['a refused operation', new TensorFlowError(3, 'shapes differ'), false],
])('%s: worth another worker, or the end of the run', (_, error, final) => {
  expect(toFailure(error, 'r1')).toEqual({ final, message: error.message });
});

test('no memory and no disk end the run with what to do', () => {
  expect(toFailure(new TensorFlowError(8, 'OOM when allocating'), 'r1')).toEqual({
    final: true,
    message: 'OOM when allocating: lower batch_size and raise accumulation_steps',
  });
  expect(toFailure(new AppError('RESOURCE_EXHAUSTED', 'no space left on device'), 'r1')).toEqual({
    final: true,
    message:
      'no space left on device; make room, then resume the run (strata run resume r1): earlier checkpoints are intact',
  });
});
