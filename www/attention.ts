// Where the model looked: a map for each layer and head, chosen with sliders.

import type { Heatmap } from "./azulejo/index.js";
import { byId } from "./dom.js";
import { Latest } from "./latest.js";
import type { Scene } from "./scene.js";
import type { Stage } from "./stage.js";

const layer = byId("layer", HTMLInputElement);
const head = byId("head", HTMLInputElement);
const caption = byId("attention-caption", HTMLElement);

export class AttentionView {
  private scene: Scene | undefined;
  /** Maps of this scene, by `layer head`. */
  private maps = new Map<string, Heatmap>();
  private shown = "";
  private readonly following = new Latest(() => this.follow());
  private active = false;

  constructor(
    private readonly stage: Stage,
    private readonly failed: (error: unknown) => void,
  ) {
    for (const slider of [layer, head]) slider.addEventListener("input", () => this.update());
  }

  /** Another picture or another model; the sliders stay where they are, as far as the model goes. */
  setScene(scene: Scene | undefined): void {
    this.scene = scene;
    this.maps.clear();
    this.shown = "";
    if (!scene) return;
    const { layers, heads } = scene.model.summary;
    layer.max = String(layers);
    head.max = String(heads);
    this.update();
  }

  /** Whether the map lies over the picture. */
  setActive(active: boolean): void {
    this.active = active;
    this.shown = "";
    this.update();
  }

  private update(): void {
    this.describe();
    if (this.active) this.following.again();
  }

  /** Makes and shows the map that is wanted. */
  private async follow(): Promise<void> {
    const { scene } = this;
    const key = wanted();
    if (!this.active || !scene || this.shown === key) return;
    try {
      const [map, { at }] = [await this.map(scene, key), await scene.cut()];
      if (scene !== this.scene || !this.active) return;
      this.stage.setOverlay({ image: map.toImageData(), at, smooth: true });
    } catch (error) {
      if (scene === this.scene) this.failed(error);
    }
    if (scene === this.scene) this.shown = key;
  }

  private async map(scene: Scene, key: string): Promise<Heatmap> {
    const known = this.maps.get(key);
    if (known) return known;
    const [at, of] = key.split(" ").map(Number) as [number, number];
    const options = { layer: at === 0 ? ("rollout" as const) : at - 1, head: of === 0 ? ("mean" as const) : of - 1 };
    const map = await scene.model.attention(await scene.small(), options);
    if (scene === this.scene) this.maps.set(key, map);
    return map;
  }

  private describe(): void {
    const layers = Number(layer.max);
    const heads = Number(head.max);
    const [at, of] = [Number(layer.value), Number(head.value)];
    say(layer, "layer-value", at === 0 ? "all, rolled out" : `${at} of ${layers}`);
    say(head, "head-value", of === 0 ? "mean of all" : `${of} of ${heads}`);
    const what = at === 0 ? "How much of each patch reaches the answer, through all layers" : `What layer ${at} takes from each patch`;
    caption.textContent = `${what}${of === 0 ? "" : `, by head ${of} alone`}: bright is much.`;
  }
}

/** What the sliders ask for; 0 is all layers, or the mean of all heads. */
const wanted = () => `${layer.value} ${head.value}`;

function say(slider: HTMLInputElement, output: string, text: string): void {
  byId(output, HTMLOutputElement).textContent = text;
  slider.setAttribute("aria-valuetext", text);
}
