// What a demo is made of. docs.ts and shakespeare.ts make recipes, run-demo.ts takes one through the whole lifecycle.
import type { CreateDatasetOptions } from '../work/create-dataset.ts';

/** Of weights, order and samples alike. */
export const demoSeed = 1;

type DatasetSettings = Omit<CreateDatasetOptions, 'name' | 'kind' | 'tokenizer' | 'requestId'>;

export interface Recipe {
  /** "docs", "shakespeare": names everything that is made. */
  name: string;
  title: string;
  summary: string;
  vocabSize: number;
  /** Files that the vocabulary is trained on. */
  tokenizerFiles: string[];
  text: DatasetSettings;
  pretraining: { nLayer: number; nHead: number; nEmbd: number; blockSize: number; batchSize: number; maxSteps: number };
  classifier: {
    /** The inbox's task, and the name of the model. */
    task: string;
    /** What is dropped into the inbox. */
    labels: string;
    /** Held out from everything; the classifier's last judgement. */
    test: DatasetSettings;
    maxSteps: number;
    learningRate: number;
    /** Texts to classify at the end. */
    texts: string[];
  };
  assistant: { rows: DatasetSettings; maxSteps: number; maxRowTokens: number };
  /** Beginnings that the pretrained model goes on with. */
  prompts: string[];
  /** A question for the assistant, in the form of its training rows. */
  question: string;
}
