// What models are asked here, and answers in a few characters, bit by bit; under Node and in a page.

export const PIXELS = { data: Float32Array.from({ length: 3 * 48 * 48 }, (_, at) => Math.sin(at)), dims: [1, 3, 48, 48] };

/** FNV-1a, of two offsets. */
export function digest({ data, dims }) {
  let [one, other] = [0x811c9dc5, 0x9e3779b9];
  for (const byte of new Uint8Array(data.buffer, data.byteOffset, data.byteLength)) {
    one = Math.imul(one ^ byte, 0x01000193);
    other = Math.imul(other ^ byte, 0x01000193);
  }
  return `${dims} ${[one, other].map((half) => (half >>> 0).toString(16)).join(" ")}`;
}

/** What a session says after a prompt once it has been saved and restored. */
export async function afterRestoring(lm, session, prompt) {
  const restored = await lm.restoreSession(await session.save());
  try {
    return (await restored.generate(prompt, { maxTokens: 4, ignoreEnd: true })).tokens;
  } finally {
    await restored.dispose();
  }
}
