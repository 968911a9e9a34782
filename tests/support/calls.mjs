// A model of each class of the package, and the calls that compute something: they all take the same signal.

import { fileURLToPath } from "node:url";
import { CausalLM, ImageClassifier, ImageTextMatcher, Seq2SeqLM, TextClassifier, TextEmbedder, TokenClassifier } from "../../dist/index.js";

export const family = (name) => fileURLToPath(new URL(`../conformance/${name}/`, import.meta.url));
export const PIXELS = { data: new Float32Array(3 * 48 * 48), dims: [1, 3, 48, 48] };
export const IMAGE = { data: new Uint8Array(4), width: 1, height: 1 };

/** `gguf`: the bytes of the language model. */
export async function loadEach(engine, gguf) {
  const load = (kind, source) => kind.load(source, { engine });
  return {
    lm: await load(CausalLM, gguf),
    embedder: await load(TextEmbedder, family("bert")),
    classifier: await load(TextClassifier, family("bert")),
    tagger: await load(TokenClassifier, family("bert_tokens")),
    seq2seq: await load(Seq2SeqLM, family("t5")),
    vit: await load(ImageClassifier, family("vit")),
    clip: await load(ImageTextMatcher, family("clip")),
  };
}

/** Each call by name, given its options. `models`: what `loadEach` gives, by the time of the call. */
export const computingCalls = (models) => ({
  "CausalLM.logits": (options) => models.lm.logits([1], options),
  "CausalLM.attentionMaps": (options) => models.lm.attentionMaps([1], options),
  "TextEmbedder.embed": (options) => models.embedder.embed([[1]], options),
  "TextEmbedder.hidden": (options) => models.embedder.hidden([1], options),
  "TextEmbedder.attentionMaps": (options) => models.embedder.attentionMaps([1], options),
  "TextClassifier.classify": (options) => models.classifier.classify(["a"], options),
  "TextClassifier.logits": (options) => models.classifier.logits([1], options),
  "TokenClassifier.classify": (options) => models.tagger.classify(["a"], options),
  "TokenClassifier.logits": (options) => models.tagger.logits([1], options),
  "Seq2SeqLM.logits": (options) => models.seq2seq.logits([1], [0], options),
  "ImageClassifier.classify": (options) => models.vit.classify(IMAGE, options),
  "ImageClassifier.classifyPatches": (options) => models.vit.classifyPatches(IMAGE, options),
  "ImageClassifier.attention": (options) => models.vit.attention(IMAGE, options),
  "ImageClassifier.attentionMaps": (options) => models.vit.attentionMaps(PIXELS, options),
  "ImageClassifier.logits": (options) => models.vit.logits(PIXELS, options),
  "ImageClassifier.features": (options) => models.vit.features(PIXELS, options),
  "ImageClassifier.pixels": (options) => models.vit.pixels(IMAGE, options),
  "ImageTextMatcher.classify": (options) => models.clip.classify(IMAGE, ["a"], options),
  "ImageTextMatcher.embedImage": (options) => models.clip.embedImage(PIXELS, options),
  "ImageTextMatcher.embedText": (options) => models.clip.embedText([[1]], options),
  "ImageTextMatcher.logits": (options) => models.clip.logits(PIXELS, [1], options),
});
