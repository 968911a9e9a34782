// Tools: the model asks, the page does, the model answers.

/** What the page can do, by its name: what the model is told, and what is done. */
const TOOLS = {
  multiply: {
    description: "Multiplies two numbers.",
    parameters: {
      type: "object",
      properties: { a: { type: "integer", minimum: 0, maximum: 999 }, b: { type: "integer", minimum: 0, maximum: 999 } },
      required: ["a", "b"],
      additionalProperties: false,
    },
    run: ({ a, b }) => a * b,
  },
};

/**
 * Has the model answer, and does what it asks for on the way. `session`: of a CausalLM whose chat template knows tools;
 * `messages` grows by what was said. `options`: of `generate`.
 */
export async function converse(session, messages, options) {
  const tools = Object.entries(TOOLS).map(([name, { description, parameters }]) => ({ name, description, parameters }));
  // A model that never stops asking is stopped.
  for (let round = 0; round < 5; round++) {
    const { text, toolCalls = [] } = await session.generate(messages, { ...options, tools });
    messages.push({ role: "assistant", content: text, ...(toolCalls.length > 0 && { toolCalls }) });
    if (toolCalls.length === 0) return text;
    for (const { id, name, arguments: given } of toolCalls) messages.push({ role: "tool", name, toolCallId: id, content: answer(name, given) });
  }
  throw new Error("the model asks and asks");
}

/** What it asks for may be nonsense: that is an answer too. */
function answer(name, given) {
  try {
    return JSON.stringify(TOOLS[name].run(given));
  } catch (error) {
    return `failed: ${error.message}`;
  }
}
