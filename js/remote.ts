/**
 * Models on a server, by the same classes: `import { CausalLM } from "azulejo/remote"`.
 *
 * The server scales out, and this speaks to it: vLLM, llama.cpp's, whatever has OpenAI's API; Triton for images.
 *
 * @module azulejo/remote
 */

import { CausalLM as TheCausalLM } from "./page/causal-lm.js";
import { ImageClassifier as TheImageClassifier } from "./page/image-classifier.js";
import type { Model } from "./page/model.js";
import { optionsOf } from "./page/options.js";
import { TextClassifier as TheTextClassifier } from "./page/text-classifier.js";
import { TextEmbedder as TheTextEmbedder } from "./page/text-embedder.js";
import { checkLiveSignal } from "./page/validate.js";
import { connect } from "./remote/connect.js";
import { checkRemote } from "./remote/options.js";
import type { Task } from "./shared/protocol.js";
import type { RemoteOptions, SignalOptions } from "./shared/types.js";

export { AzulejoError } from "./shared/errors.js";
export type { ModelServer, RemoteImages, RemoteOptions } from "./shared/types.js";

/** A class whose models lie on a server. */
export interface Loader<T> {
  /**
   * Asks the server for the model. What it lacks is refused by name with "unsupported-model", when it is asked for. Rejects
   * with "network" where the server is not to be reached or wants a key, and with "missing-file" where it has no such model.
   */
  load(server: RemoteOptions, options?: SignalOptions): Promise<T>;
}

const readLoad = /* @__PURE__ */ optionsOf<SignalOptions>("load", { signal: checkLiveSignal });

function over<T>(task: Task, wrap: (model: Model) => T): Loader<T> {
  return {
    load: async (server, options) => {
      const { signal } = readLoad(options);
      return wrap(await connect(task, checkRemote(server), signal));
    },
  };
}

/** A language model on a server of OpenAI's API. */
export const CausalLM = /* @__PURE__ */ over("causal-lm", (model) => TheCausalLM.over(model));
export type CausalLM = TheCausalLM;

/** An encoder of texts on a server of OpenAI's API. */
export const TextEmbedder = /* @__PURE__ */ over("text-embedding", (model) => TheTextEmbedder.over(model));
export type TextEmbedder = TheTextEmbedder;

/** A reranker on vLLM or llama.cpp: `classify` takes pairs, a question and a document, and tells how well each fits. */
export const TextClassifier = /* @__PURE__ */ over("text-classification", (model) => TheTextClassifier.over(model));
export type TextClassifier = TheTextClassifier;

/** A classifier of images on a server of KServe's v2 protocol. */
export const ImageClassifier = /* @__PURE__ */ over("image-classification", (model) => TheImageClassifier.over(model));
export type ImageClassifier = TheImageClassifier;
