// The model's tokenizer, which lives in the worker with it.

import { optionsOf } from "./options.js";
import type { RemoteModel } from "./remote.js";
import type { Message, Tokenizer } from "./types.js";
import { checkFlag, checkIds, checkMessages, checkText } from "./validate.js";

const readEncode = /* @__PURE__ */ optionsOf<{ addSpecial?: boolean | undefined }>("encode", { addSpecial: checkFlag });
const readDecode = /* @__PURE__ */ optionsOf<{ skipSpecial?: boolean | undefined }>("decode", { skipSpecial: checkFlag });
const readTemplate = /* @__PURE__ */ optionsOf<{ addGenerationPrompt?: boolean | undefined }>(
  "applyChatTemplate",
  { addGenerationPrompt: checkFlag },
  ["tools", "templateOptions", "allowSpecial"],
);

export class RemoteTokenizer implements Tokenizer {
  readonly #model: RemoteModel;

  constructor(model: RemoteModel) {
    this.#model = model;
  }

  async encode(text: string, options?: { addSpecial?: boolean | undefined }): Promise<Uint32Array> {
    const checked = checkText(text, "text");
    const { addSpecial = true } = readEncode(options);
    return this.#model.call("encode", { text: checked, addSpecial });
  }

  async decode(ids: ArrayLike<number>, options?: { skipSpecial?: boolean | undefined }): Promise<string> {
    const checked = checkIds(ids, "ids");
    const { skipSpecial = true } = readDecode(options);
    return this.#model.call("decode", { ids: checked, skipSpecial });
  }

  async applyChatTemplate(
    messages: Message[],
    options?: { addGenerationPrompt?: boolean | undefined },
  ): Promise<string> {
    const checked = checkMessages(messages, "messages");
    const { addGenerationPrompt = true } = readTemplate(options);
    return this.#model.call("applyChatTemplate", { messages: checked, addGenerationPrompt });
  }
}
