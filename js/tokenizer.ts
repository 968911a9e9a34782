// The model's tokenizer, which lives in the worker with it.

import type { RemoteModel } from "./remote.js";
import type { Message, Tokenizer } from "./types.js";
import { checkFlag, checkIds, checkMessages, checkText } from "./validate.js";

export class RemoteTokenizer implements Tokenizer {
  readonly #model: RemoteModel;

  constructor(model: RemoteModel) {
    this.#model = model;
  }

  async encode(text: string, { addSpecial = true }: { addSpecial?: boolean } = {}): Promise<Uint32Array> {
    return this.#model.call("encode", {
      text: checkText(text, "text"),
      addSpecial: checkFlag(addSpecial, "addSpecial"),
    });
  }

  async decode(ids: ArrayLike<number>, { skipSpecial = true }: { skipSpecial?: boolean } = {}): Promise<string> {
    return this.#model.call("decode", {
      ids: checkIds(ids, "ids"),
      skipSpecial: checkFlag(skipSpecial, "skipSpecial"),
    });
  }

  async applyChatTemplate(
    messages: Message[],
    { addGenerationPrompt = true }: { addGenerationPrompt?: boolean } = {},
  ): Promise<string> {
    const checked = checkMessages(messages, "messages");
    return this.#model.call("applyChatTemplate", {
      messages: checked,
      addGenerationPrompt: checkFlag(addGenerationPrompt, "addGenerationPrompt"),
    });
  }
}
