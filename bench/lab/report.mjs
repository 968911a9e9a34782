// What the lab has seen, in tables: what is wrong, the ceilings, how fast models are, and the worst shares of the floor.

import { floorOf } from "../gpu-report.mjs";
import { align } from "../report.mjs";

const WORST = 30;

/** `results`: of the steps, as lab.mjs writes them. */
export function labReport(results) {
  const sections = [checks(results), ceilings(results), models(results), worst(results)];
  return `${sections.filter(Boolean).join("\n\n")}\n`;
}

const linesOf = (results, half) =>
  results.filter((result) => result.half === half).flatMap(({ lines }) => lines);

/** What is wrong; a step that did not end well is told of as well. */
function checks(results) {
  const all = ["native", "dawn"].flatMap((half) => linesOf(results, half).filter(({ check }) => check).map((line) => ({ half, ...line })));
  const wrong = all.filter(({ right }) => !right);
  const failed = results.filter(({ ended }) => !["well", "by its time"].includes(ended));
  const lines = [
    `${all.length} checks, ${wrong.length} wrong`,
    ...wrong.map(({ half, check, error, allowed }) => `  WRONG, ${half}: ${check}: ${error}, allowed ${allowed}`),
    ...failed.map(({ half, step, ended }) => `  FAILED: ${half} ${step}: ${ended}`),
  ];
  return lines.join("\n");
}

/** As far as they were measured: undefined without the two that a floor needs. */
function ceilingsOf(results, half) {
  const lines = linesOf(results, half);
  const single = Object.fromEntries(lines.flatMap(({ ceiling, value }) => (ceiling ? [[ceiling, value]] : [])));
  const found = { ...single, ...lines.find(({ ceilings }) => ceilings)?.ceilings };
  return found.bytesPerSecond && found.operationsPerSecond ? found : undefined;
}

function ceilings(results) {
  const rows = ["native", "dawn"].flatMap((half) => {
    const found = ceilingsOf(results, half);
    if (!found) return [];
    const giga = (rate) => (rate ? (rate / 1e9).toFixed(1) : "");
    const micro = (ms) => (ms === undefined ? "" : (1000 * ms).toFixed(2));
    return [[
      half, giga(found.bytesPerSecond), giga(found.operationsPerSecond), giga(found.halfOperationsPerSecond),
      giga(found.byteOperationsPerSecond), micro(found.dependentDispatchMs), micro(found.independentDispatchMs),
    ]];
  });
  if (!rows.length) return "";
  return align([["ceilings", "GB/s read", "G/s in f32", "in f16", "in bytes", "µs a dispatch that waits", "that does not"], ...rows]);
}

function models(results) {
  const rows = linesOf(results, "dawn").flatMap((line) => {
    if (!line.model || !line.ms) return [];
    const what = line.what ?? (line.images ? `${line.images} images` : `${line.texts} texts of ${line.tokens} tokens`);
    return [[`${line.model}, ${what}`, line.ms.toFixed(2), line.tokensPerSecond?.toFixed(1) ?? ""]];
  });
  return rows.length ? align([["models, through the package", "ms", "tokens/s"], ...rows]) : "";
}

/** Everything that was timed natively, and the kernels of the models' steps: the smallest shares first. */
function worst(results) {
  const timed = (half, lines) => {
    const found = ceilingsOf(results, half);
    if (!found) return [];
    return lines.filter(({ ms }) => ms > 0).map(({ what, ms, bytes, operations, inBytes }) => {
      const operationsPerSecond = (inBytes && found.byteOperationsPerSecond) || found.operationsPerSecond;
      const floor = floorOf({ bytes, operations }, { ...found, operationsPerSecond });
      return { half, what, ms, floor, rate: bytes / ms / 1e6, share: floor.ms / ms };
    });
  };
  const native = linesOf(results, "native").filter(({ what, bytes }) => what && bytes);
  const kernels = linesOf(results, "dawn").filter(({ profile }) => profile).flatMap(({ model, profile }) =>
    Object.entries(profile).flatMap(([step, { kernels }]) =>
      Object.entries(kernels).map(([label, { count, ms, bytes, operations }]) =>
        ({ what: `${model}, ${step}: ${count.toFixed(0)} of ${label}`, ms, bytes, operations }))));
  const all = [...timed("native", native), ...timed("dawn", kernels)].sort((a, b) => a.share - b.share);
  if (!all.length) return "";
  const cells = ({ half, what, ms, floor, rate, share }) =>
    [`${half} ${what}`, ms.toFixed(4), floor.ms.toFixed(4), `${(100 * share).toFixed(1)} %`, rate.toFixed(1), floor.bound];
  const title = `the ${Math.min(WORST, all.length)} smallest of ${all.length} shares of the floor`;
  return align([[title, "ms", "floor ms", "share", "GB/s", "bound by"], ...all.slice(0, WORST).map(cells)]);
}
