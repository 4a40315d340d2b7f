// What can go wrong in the engine, as named errors whose messages carry the facts and the way out.

/** libtensorflow is missing, cannot be loaded, or is not the version this code was written against. */
export class LibraryError extends Error {
  override readonly name = 'LibraryError';
}

/** TensorFlow refused an operation. `code` is TF_Code (gRPC's numbering). */
export class TensorFlowError extends Error {
  override readonly name = 'TensorFlowError';
  readonly code: number;

  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A function given to `jit` did something that cannot be recorded, such as reading a traced tensor. */
export class TraceError extends Error {
  override readonly name = 'TraceError';
}
