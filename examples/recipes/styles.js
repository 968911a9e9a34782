// One model, several voices: LoRA adapters beside its weights, which lie in memory once.

/** `sources`: an adapter for each name. `lm`: the CausalLM that they were trained on. */
export async function voicesOf(lm, sources) {
  const voices = { plain: lm };
  for (const [name, source] of Object.entries(sources)) voices[name] = await lm.withAdapter(source);
  return voices;
}

/** What each of them answers; they write by turns, none before another. */
export async function answers(voices, prompt, options) {
  const asked = Object.entries(voices).map(async ([name, lm]) => [name, (await lm.generate(prompt, options)).text]);
  return Object.fromEntries(await Promise.all(asked));
}
