// A model loaded for generation: sequences, each with a key/value cache of its own that ONNX Runtime extends in place.
import type { ModelConfig } from '#lib/model/config.ts';
import { headLayout } from './attention.ts';
import { type CachePart, cacheParts, type GraphWeights, names } from './graph.ts';
import { gpt2Graph } from './graph-gpt2.ts';
import { llamaGraph } from './graph-llama.ts';
import type { OnnxGraph } from './onnx.ts';
import { openOrt } from './ort.ts';
import { type Binding, createTensor, Session, type SessionOptions, type Tensor } from './session.ts';

/** More tokens than the model has places for. */
export class ContextError extends RangeError {
  override readonly name = 'ContextError';
  readonly tokens: number;
  readonly contextSize: number;

  constructor(what: string, { tokens, contextSize }: { tokens: number; contextSize: number }) {
    super(`${what} has ${tokens} tokens, the model's context is ${contextSize}`);
    this.tokens = tokens;
    this.contextSize = contextSize;
  }
}

export interface DecoderOptions extends SessionOptions {
  readonly config: ModelConfig;
  readonly weights: GraphWeights;
}

/** Dispose its sequences first. */
export class Decoder implements Disposable {
  readonly config: ModelConfig;
  /** Values in a row of logits: one for each token of the vocabulary, or for each class of a classifier. */
  readonly width: number;
  /** Bytes of its weights. */
  readonly weightBytes: number;
  readonly #session: Session;

  /** Throws RangeError where weights and configuration do not fit, OrtError where ONNX Runtime cannot run them. */
  constructor({ config, weights, ...options }: DecoderOptions) {
    const graph = toGraph(config, weights);
    this.config = config;
    this.width = config.labels?.length ?? config.vocabSize;
    this.weightBytes = countBytes(graph);
    this.#session = new Session(openOrt(), graph, options);
  }

  /** An empty sequence. Several may live side by side; each computes when it is called. */
  createSequence(): Sequence {
    return new Sequence(this, this.#session.bind());
  }

  [Symbol.dispose](): void {
    this.#session[Symbol.dispose]();
  }
}

/** The graph that runs one step of a model: what a decoder loads, and what an ONNX file of the model would hold. */
export function toGraph(config: ModelConfig, weights: GraphWeights): OnnxGraph {
  switch (config.modelType) {
    case 'gpt2':
      return gpt2Graph(config, weights);
    case 'llama':
      return llamaGraph(config, weights);
    default:
      return config satisfies never;
  }
}

const countBytes = ({ initializers }: OnnxGraph): number =>
  [...initializers.values()].reduce((sum, { shape }) => sum + 4 * shape.reduce((size, side) => size * side, 1), 0);

/** Places that a cache begins with; it doubles when it is full. */
const smallestCapacity = 256;

type Cache = ReadonlyMap<string, { layer: number; part: CachePart; tensor: Tensor<'float32'> }>;

/** The memory of one call: S new tokens, R rows of logits. */
interface Step {
  readonly ids: Tensor<'int64'>;
  readonly positions: Tensor<'int64'>;
  readonly wanted: Tensor<'int64'>;
  readonly logits: Tensor<'float32'>;
}

export class Sequence implements Disposable {
  readonly decoder: Decoder;
  readonly #binding: Binding;
  readonly #lastPosition = createTensor('int32', [1]);
  readonly #totalLength = createTensor('int32', [1]);
  readonly #ids: Int32Array;
  #length = 0;
  #capacity = 0;
  #cache: Cache = new Map();
  #step: Step | undefined;

  constructor(decoder: Decoder, binding: Binding) {
    this.decoder = decoder;
    this.#binding = binding;
    this.#ids = new Int32Array(decoder.config.contextSize);
    binding.input(names.lastPositions, this.#lastPosition);
    binding.input(names.totalLength, this.#totalLength);
  }

  /** The tokens in the cache. */
  get ids(): Int32Array {
    return this.#ids.subarray(0, this.#length);
  }

  get cacheBytes(): number {
    return [...this.#cache.values()].reduce((sum, { tensor }) => sum + tensor.data.byteLength, 0);
  }

  /**
   * Appends tokens; gives the logits after each of the last `rows` of them, row-major [rows, decoder.width], in memory that the next
   * call writes to again. Throws ContextError where they do not fit.
   */
  append(ids: Int32Array, rows = 1): Float32Array {
    const start = this.#length;
    const end = start + ids.length;
    this.#check(ids, rows);
    this.#reserve(end);
    const step = this.#stepOf(ids.length, rows);
    for (let i = 0; i < ids.length; i++) {
      step.ids.data[i] = BigInt(ids[i] as number);
      step.positions.data[i] = BigInt(start + i);
    }
    this.#lastPosition.data[0] = end - 1;
    this.#totalLength.data[0] = end;
    this.#binding.run();
    this.#ids.set(ids, start);
    this.#length = end;
    return step.logits.data;
  }

  /** Forgets all but the first `length` tokens. */
  truncate(length: number): void {
    this.#length = Math.min(this.#length, Math.max(0, length));
  }

  [Symbol.dispose](): void {
    this.#binding[Symbol.dispose]();
    this.#cache = new Map();
  }

  /** Native code would read outside its tables. */
  #check(ids: Int32Array, rows: number): void {
    const { vocabSize, contextSize } = this.decoder.config;
    if (rows < 1 || rows > ids.length) throw new RangeError(`append: ${rows} rows of logits for ${ids.length} tokens`);
    const wrong = ids.find((id) => id < 0 || id >= vocabSize);
    if (wrong !== undefined) throw new RangeError(`token id ${wrong} is not in the vocabulary of ${vocabSize}`);
    const tokens = this.#length + ids.length;
    if (tokens > contextSize) throw new ContextError('the sequence', { tokens, contextSize });
  }

  #reserve(tokens: number): void {
    if (tokens <= this.#capacity) return;
    const { contextSize } = this.decoder.config;
    let capacity = Math.max(this.#capacity, smallestCapacity);
    while (capacity < tokens) capacity *= 2;
    this.#capacity = Math.min(capacity, contextSize);
    const grown = createCache(this.decoder.config, this.#capacity);
    for (const [key, { tensor, layer, part }] of grown) {
      const old = this.#cache.get(key);
      if (old) copyHeads(old.tensor, tensor, this.#length);
      this.#binding.input(names.past(layer, part), tensor);
      this.#binding.output(names.present(layer, part), tensor);
    }
    this.#cache = grown;
  }

  #stepOf(tokens: number, rows: number): Step {
    if (this.#step?.ids.data.length === tokens && this.#step.wanted.data.length === rows) return this.#step;
    const step = {
      ids: createTensor('int64', [1, tokens]),
      positions: createTensor('int64', [tokens]),
      wanted: createTensor('int64', [rows]),
      logits: createTensor('float32', [1, rows, this.decoder.width]),
    };
    for (let row = 0; row < rows; row++) step.wanted.data[row] = BigInt(tokens - rows + row);
    this.#binding.input(names.ids, step.ids);
    if (this.decoder.config.modelType === 'gpt2') this.#binding.input(names.positions, step.positions);
    this.#binding.input(names.wanted, step.wanted);
    this.#binding.output(names.logits, step.logits);
    this.#step = step;
    return step;
  }
}

function createCache(config: ModelConfig, capacity: number): Cache {
  const { nKvHead, paddedSize } = headLayout(config);
  const shape = [1, nKvHead, capacity, paddedSize];
  const places = Array.from({ length: config.nLayer }, (_, layer) => cacheParts.map((part) => ({ layer, part })));
  return new Map(
    places
      .flat()
      .map(({ layer, part }) => [names.past(layer, part), { layer, part, tensor: createTensor('float32', shape) }]),
  );
}

/** Copies the first `length` places of every head: [1, G, M, D] -> [1, G, larger M, D]. */
function copyHeads(from: Tensor<'float32'>, to: Tensor<'float32'>, length: number): void {
  const [, heads = 0, oldPlaces = 0, size = 0] = from.shape;
  const newPlaces = to.shape[2] ?? 0;
  for (let head = 0; head < heads; head++) {
    const start = head * oldPlaces * size;
    to.data.set(from.data.subarray(start, start + length * size), head * newPlaces * size);
  }
}
