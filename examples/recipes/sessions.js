// A conversation that outlives its page: after a reload it goes on, and nothing of it is read again.

import { sessions } from "azulejo";

/**
 * The conversation of that name, or a new one. `lm`: a CausalLM that was trained for chat. What was said is the page's to
 * keep; what the model has computed of it is kept beside it, and costs time where it is gone, and no text.
 */
export async function resume(lm, name) {
  const messages = JSON.parse(localStorage.getItem(name) ?? "[]");
  // Nothing is kept by that name, or what is kept is another model's.
  const session = await sessions.restore(name, lm).catch(() => lm.createSession());

  /** Says something: what `generate` gives. `options`: of `generate`. */
  async function say(content, options) {
    messages.push({ role: "user", content });
    const answer = await session.generate(messages, options);
    messages.push({ role: "assistant", content: answer.text });
    localStorage.setItem(name, JSON.stringify(messages));
    // Where the disk is full, the words alone are kept.
    await sessions.save(name, session).catch(console.warn);
    return answer;
  }
  return { messages, session, say };
}
