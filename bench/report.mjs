// What the benchmark says: medians, and how far the rounds lay apart.

/** The middle value; of an even number of values, the mean of the middle two. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Tokens a second of the rounds of one measure: median, slowest and quickest. */
export function summarise(rates) {
  return { median: median(rates), min: Math.min(...rates), max: Math.max(...rates), rounds: rates };
}

/** One table: a line a contestant, a column a measure, and below it how many times the first contestant is ahead. */
export function table({ model, threads, rounds, measures, contestants }) {
  const first = contestants[0];
  const lines = contestants.map(({ name, results }) => [name, ...measures.map((m) => cell(results[m]))]);
  for (const other of contestants.slice(1)) {
    const ratio = (m) => `${(first.results[m].median / other.results[m].median).toFixed(2)} ×`;
    lines.push([`${first.name} / ${other.name}`, ...measures.map(ratio)]);
  }
  const title = `${model}, ${threads === 1 ? "1 thread" : `${threads} threads`}: tokens a second, median of ${rounds} (slowest to quickest)`;
  return `${title}\n${align([["", ...measures], ...lines])}\n`;
}

/**
 * What one thread of this machine allows, from the rates of floor.js: a token reads every weight once, and multiplies
 * by it once; a prompt's head is computed for its last position only.
 */
export function floor({ read, wide, relaxed }, { fileBytes, parameters, head }) {
  const decode = read / fileBytes;
  const prefill = (rate) => rate / (parameters - head);
  const giga = (rate) => (rate / 1e9).toFixed(1);
  return `floor on 1 thread: memory is read at ${giga(read)} GB/s, so decode stays under ${decode.toFixed(0)} tokens a second; ` +
    `${giga(wide)} G products/s widened to 16 bits, ${giga(relaxed)} G relaxed in 8 bits, so prefill stays under ` +
    `${prefill(wide).toFixed(0)} and ${prefill(relaxed).toFixed(0)}\n`;
}

function cell({ median, min, max }) {
  const rate = (value) => value.toFixed(value < 10 ? 2 : 1);
  return `${rate(median)} (${rate(min)} to ${rate(max)})`;
}

/** Rows of text as columns: the first to the left, the others to the right. */
export function align(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row) => row.map((text, column) => (column ? text.padStart(widths[column]) : text.padEnd(widths[0]))).join("   ");
  return rows.map((row) => line(row).trimEnd()).join("\n");
}
