// Numbers as people read them.

const grouped = new Intl.NumberFormat("en");

/** 97.9 MB. Decimal units, as browsers and hubs show them. */
export function bytes(n: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (n >= 999.5 && unit < units.length - 1) {
    n /= 1000;
    unit += 1;
  }
  return `${unit === 0 || n >= 99.5 ? Math.round(n) : n.toFixed(1)} ${units[unit]}`;
}

/** 8,192. */
export function count(n: number): string {
  return grouped.format(Math.round(n));
}

/** 135 M, 1.2 B: parameters of a model. */
export function parameters(n: number): string {
  if (n >= 1e9) return `${(n / 1e9).toFixed(1)} B`;
  if (n >= 1e6) return `${Math.round(n / 1e6)} M`;
  return count(n);
}

/** 0.42 s, 2 min 10 s. */
export function duration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.max(1, Math.round(milliseconds))} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/** 38.2, 118: a rate, with as many digits as it deserves. */
export function rate(perSecond: number): string {
  return perSecond < 99.95 ? perSecond.toFixed(1) : count(perSecond);
}

/** 0.84 ms, 12.3 ms, 0.42 s: of things that may be over before one notices. */
export function quick(milliseconds: number): string {
  if (milliseconds >= 99.5) return duration(milliseconds);
  return `${milliseconds.toFixed(milliseconds < 9.95 ? 2 : 1)} ms`;
}

/** 71.3 %, < 0.1 %. */
export function percent(part: number): string {
  if (part > 0 && part < 0.0005) return "< 0.1 %";
  return `${(100 * part).toFixed(1)} %`;
}
