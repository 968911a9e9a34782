// What the benchmark says: medians, and how far the rounds lay apart.

/** The middle value; of an even number of values, the mean of the middle two. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The rounds of one measure: median, least and most, and which share of its ceiling the median is. */
export function summarise(values, shareOf) {
  const middle = median(values);
  return { median: middle, min: Math.min(...values), max: Math.max(...values), share: shareOf(middle), rounds: values };
}

/** One table: a line a contestant, a column a measure, and below it how many times the first contestant is ahead. */
export function table({ model, device, threads, rounds, measures, contestants }) {
  const first = contestants[0];
  const lines = contestants.map(({ name, results }) => [name, ...measures.map((m) => cell(results[m]))]);
  for (const other of contestants.slice(1)) {
    const ratio = (m) => `${(first.results[m].median / other.results[m].median).toFixed(2)} ×`;
    lines.push([`${first.name} / ${other.name}`, ...measures.map(ratio)]);
  }
  const title = `${model}, ${whereOf({ device, threads })}: tokens a second, median of ${rounds} (slowest to quickest), share of the ceiling`;
  return `${title}\n${align([["", ...measures], ...lines])}\n`;
}

/** What the machine can do at most, in a line. */
export function ceilingsLine({ read, f32, dot16, wide, relaxed }, where) {
  const giga = (rate) => (rate / 1e9).toFixed(1);
  const integers = dot16 ? `, ${giga(dot16)} in 16 bits, ${giga(wide)} of bytes widened to that, ${giga(relaxed)} of 8 by 7 bits` : "";
  return `ceilings, ${where}: ${giga(read)} GB/s read; G multiply-adds/s: ${giga(f32)} in f32${integers}\n`;
}

/** "1 thread", "2 threads", "WebGPU". */
export const whereOf = ({ device, threads }) => (device === "webgpu" ? "WebGPU" : threads === 1 ? "1 thread" : `${threads} threads`);

function cell({ median, min, max, share }) {
  return `${digits(median)} (${digits(min)} to ${digits(max)}), ${percent(share)}`;
}

/** Three digits or four. */
export const digits = (value) => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
export const percent = (share) => `${(100 * share).toFixed(0)} %`;

/** Rows of text as columns: the first to the left, the others to the right. */
export function align(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row) => row.map((text, column) => (column ? text.padStart(widths[column]) : text.padEnd(widths[0]))).join("   ");
  return rows.map((row) => line(row).trimEnd()).join("\n");
}
