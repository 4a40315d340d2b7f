// What is wrong with somebody's data: the message says where and what to do about it.

/** Which of the request's settings the error is about. */
export type DataProblem = 'source' | 'columns' | 'labels' | 'tokenizer' | 'split' | 'empty';

export class DataError extends Error {
  override readonly name = 'DataError';
  readonly problem: DataProblem;

  constructor(problem: DataProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.problem = problem;
  }
}

/** Why a row or document is left out; counted, and the first ones of each are remembered with their place. */
export type DropReason =
  | 'invalid_utf8'
  | 'invalid_json'
  | 'no_object'
  | 'wrong_columns'
  | 'missing_text'
  | 'missing_label'
  | 'missing_messages'
  | 'unknown_label'
  | 'chat_template'
  | 'empty'
  | 'duplicate'
  | 'too_long';
