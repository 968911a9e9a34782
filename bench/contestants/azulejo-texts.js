// azulejo on texts as token ids, by the page's clock: the way to the worker and back is counted.

import { openOurs } from "./sessions.js";

export async function load(settings) {
  const { model, ...opened } = await openOurs("TextEmbedder", settings);
  return {
    ...opened,
    /** The vectors of all rows, one after the other. */
    async texts(rows) {
      const start = performance.now();
      const { data } = await model.embed(rows);
      return { ms: performance.now() - start, output: [...data] };
    },
  };
}
