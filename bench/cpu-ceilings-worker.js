// One thread of cpu-ceilings.js: says when it is ready, and when a kernel that it was told to run is done.

import { kernels } from "./cpu-ceilings.js";

const exported = await kernels();
onmessage = ({ data: [name, bytes, times] }) => {
  exported[name](bytes, times);
  postMessage("done");
};
postMessage("ready");
