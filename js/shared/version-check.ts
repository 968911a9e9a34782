// Page, worker and threads are files of their own, and after a deployment an old one may meet a new one.

import { AzulejoError } from "./errors.js";

/** One has started the other. A release of before they told each other says nothing. */
export function sameVersion(outer: string, outerVersion: string | undefined, inner: string, innerVersion: string | undefined): void {
  if (outerVersion === innerVersion) return;
  throw new AzulejoError(
    "internal",
    `the ${outer} is azulejo ${outerVersion ?? "of an older release"}, its ${inner} ${innerVersion ?? "of an older release"}: ` +
      'files of two releases are mixed (an old copy in a cache, or the engine option "assets" names another release\'s)',
  );
}
