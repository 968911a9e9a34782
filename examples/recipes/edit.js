// A given text with changes: most of it comes again as it stands, so that several tokens go through the model at once.

/** The text, changed as `wish` says. `lm`: a CausalLM that was trained for chat. */
export async function edited(lm, text, wish) {
  const messages = [{ role: "user", content: `${wish} Write out the whole text.\n\n${text}` }];
  const { text: answer, stats } = await lm.generate(messages, { maxTokens: 500 });
  // By default drafts are tried where they pay; { draft: "off" } gives the same text, later.
  console.log(`${stats.acceptedTokens} of ${stats.generatedTokens} tokens were drafted before they came`);
  return answer;
}
