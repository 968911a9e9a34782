// The model's tokenizer, which lives in the worker with it.

import type { ChatTemplateOptions, Message, Tokenizer } from "../shared/types.js";
import { CHAT, checkChat } from "./messages.js";
import type { Model } from "./model.js";
import { optionsOf } from "./options.js";
import { checkFlag, checkIds, checkText } from "./validate.js";

const readEncode = /* @__PURE__ */ optionsOf<{ addSpecial?: boolean | undefined }>("encode", { addSpecial: checkFlag });
const readDecode = /* @__PURE__ */ optionsOf<{ skipSpecial?: boolean | undefined }>("decode", { skipSpecial: checkFlag });
const readTemplate = /* @__PURE__ */ optionsOf<ChatTemplateOptions>("applyChatTemplate", {
  ...CHAT,
  addGenerationPrompt: checkFlag,
});

export class RemoteTokenizer implements Tokenizer {
  readonly #model: Model;

  constructor(model: Model) {
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

  async applyChatTemplate(messages: Message[], options?: ChatTemplateOptions): Promise<string> {
    return this.#model.call("applyChatTemplate", checkChat(messages, "messages", readTemplate(options)));
  }
}
