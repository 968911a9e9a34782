// JSON out of a text: what it says, in the shape that a program wants.

/** A schema's names are the model's questions: choose them so that they say what is meant. */
const PERSON = {
  type: "object",
  properties: {
    name: { type: "string", maxLength: 40 },
    city: { type: "string", maxLength: 40 },
    born: { type: "integer", minimum: 0, maximum: 2100 },
  },
  required: ["name", "city", "born"],
  additionalProperties: false,
};

/** Who a text is about. `lm`: a CausalLM that was trained for chat. */
export async function personIn(lm, text) {
  const messages = [
    { role: "system", content: "Answer with JSON: the name of the person, the city, and the year of birth." },
    { role: "user", content: text },
  ];
  const { text: json, finishReason } = await lm.generate(messages, { jsonSchema: PERSON, maxTokens: 100 });
  // Only where there was no room for the end is it no JSON.
  if (finishReason !== "end") throw new Error(`the answer broke off: ${json}`);
  return JSON.parse(json);
}
