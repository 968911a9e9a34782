// Files that come with the page.

import { AzulejoError } from "./azulejo/index.js";

/** A file by its path; failures are errors in the page's own words. */
export async function download(path: string): Promise<Blob> {
  const response = await fetch(path).catch((cause: Error) => {
    throw new AzulejoError("network", `${path}: ${cause.message}`, undefined, { cause });
  });
  if (!response.ok) throw new AzulejoError("network", `${path}: the server answered ${response.status}`);
  return response.blob();
}
