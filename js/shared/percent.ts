// Paths in addresses, spelled with percent signs.

/** Segment by segment: the slashes stay. */
export const encoded = (path: string) => path.split("/").map(encodeURIComponent).join("/");

/** As it was meant; a "%" may be just that. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
