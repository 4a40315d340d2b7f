// The last act: the served models answer, and the text streams as it is made.
import type { ArtifactRef } from '#lib/contracts/gen/strata/common/v1/common.ts';
import type { Context } from '../context.ts';
import { demoSeed, type Recipe } from './recipe.ts';

export interface Answers {
  generated: { prompt: string; text: string }[];
  classified: { text: string; label: string; probability: number }[];
  chat: { question: string; text: string };
}

export interface Models {
  base: ArtifactRef;
  classifier: ArtifactRef;
  assistant: ArtifactRef;
}

export async function askAll(context: Context, recipe: Recipe, models: Models): Promise<Answers> {
  const { inference } = await context.services();
  const { signal, output } = context;
  const show = async (title: string, responses: AsyncIterable<{ text: string }>): Promise<string> => {
    output.note(`\n${title}`);
    let text = '';
    for await (const response of responses) {
      text += response.text;
      if (!output.json) output.text(response.text);
    }
    if (!output.json) output.text('\n');
    return text;
  };

  const [prompt = ''] = recipe.prompts;
  const sampling = { maxTokens: 80, temperature: 0.8, topK: 50, seed: demoSeed };
  const generate = { model: models.base, prompt: { $case: 'text', value: prompt } as const, sampling };
  const generated = await show(`generate: ${JSON.stringify(prompt)}`, inference.generate(generate, { signal }));

  const { texts } = recipe.classifier;
  const { classifications } = await inference.classify({ model: models.classifier, texts }, { signal });
  const classified = texts.map((text, index) => {
    const { label = '', probability = 0 } = classifications[index] ?? {};
    output.note(`classify: ${label} (${(probability * 100).toFixed(1)} %): ${text}`);
    return { text, label, probability };
  });

  const { question } = recipe;
  const chat = {
    model: models.assistant,
    messages: [{ role: 'user', content: question }],
    sampling: { maxTokens: 60, temperature: 0 },
  };
  const text = await show(`chat: ${question}`, inference.chat(chat, { signal }));
  return { generated: [{ prompt, text: generated }], classified, chat: { question, text } };
}
