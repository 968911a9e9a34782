// A still from the camera. The live picture stays in the page, and the camera goes off once there is a still.

import { byId } from "./dom.js";
import { showProblem } from "./errors.js";
import type { Picture } from "./pictures.js";

const canvas = byId("canvas", HTMLCanvasElement);
const video = byId("viewfinder", HTMLVideoElement);
const start = byId("camera", HTMLButtonElement);
const shutter = byId("shutter", HTMLButtonElement);

/** Listens to the camera's buttons; `open` gets the still. */
export function initCamera(open: (picture: Promise<Picture>) => void): void {
  start.addEventListener("click", () => void turnOn());
  byId("close-camera", HTMLButtonElement).addEventListener("click", turnOff);
  shutter.addEventListener("click", () => {
    const still = createImageBitmap(video).then((bitmap) => ({ bitmap, name: "Picture from the camera" }));
    void still.catch(() => {}).finally(turnOff);
    open(still);
  });
  addEventListener("pagehide", turnOff);
}

async function turnOn(): Promise<void> {
  try {
    if (!navigator.mediaDevices) throw new Error("browsers give it to pages from https: or localhost only");
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    await video.play();
  } catch (error) {
    turnOff();
    const what = error instanceof Error ? error.message : String(error);
    showProblem("invalid-argument", "The camera cannot be used", what, "Allow it in the browser, or open a picture instead.");
    return;
  }
  look(true);
  shutter.focus();
}

/** Also called when another picture is to be shown. */
export function turnOff(): void {
  const stream = video.srcObject;
  if (stream instanceof MediaStream) for (const track of stream.getTracks()) track.stop();
  video.srcObject = null;
  if (!video.hidden) look(false);
}

function look(on: boolean): void {
  const hadFocus = byId("camera-actions", HTMLElement).contains(document.activeElement);
  video.hidden = !on;
  canvas.hidden = on;
  byId("camera-actions", HTMLElement).hidden = !on;
  byId("picture-actions", HTMLElement).hidden = on;
  if (hadFocus) start.focus();
}
