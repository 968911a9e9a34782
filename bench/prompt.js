// A prompt of a known length that every contestant can take: text, since not all take token ids.

const WORDS = ("the of and to in is that for it as was with be by on not he his but at are this have from or had an they " +
  "which one you were her all she there would their we him been has when who will more no if out so").split(" ");

/**
 * `count` common English words in a fixed shuffle: one token each in SmolLM2's vocabulary. In another vocabulary the
 * count may differ a little; contestants report the tokens that they computed.
 */
export function promptOf(count) {
  let state = 1;
  const words = Array.from({ length: count }, () => {
    state = (state * 48271) % 2147483647;
    return WORDS[state % WORDS.length];
  });
  return words.join(" ");
}
