// What an embedder answers to some texts: in one batch, one by one, and as ids. Runs in a page and in Node.

const plain = ({ data, dims }) => ({ data: Array.from(data), dims });

export async function askEmbedder({ Engine, TextEmbedder }, source, texts, device) {
  const engine = await Engine.create({ device });
  try {
    const model = await TextEmbedder.load(source, { engine, cache: false });
    const ids = [];
    for (const text of texts) ids.push(Array.from(await model.tokenizer.encode(text, { addSpecial: true })));
    const rows = [];
    for (const text of texts) rows.push(await model.embed(text));
    const single = { data: rows.flatMap(({ data }) => Array.from(data)), dims: [rows.length, rows[0].dims.at(-1)] };
    const cut = ids.map((row) => (row.length > 256 ? [...row.slice(0, 255), row.at(-1)] : row));
    return { device: engine.device.kind, ids, single, batched: plain(await model.embed(texts)), tokens: plain(await model.embed(cut)) };
  } finally {
    await engine.dispose();
  }
}
