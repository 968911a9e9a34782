// The images view: a picture and a model come in, the parts of the view look at both.

import { ImageClassifier } from "./azulejo/index.js";
import { AttentionView } from "./attention.js";
import { initCamera, turnOff } from "./camera.js";
import { announce, byId } from "./dom.js";
import { hideError, isAbort, showError, type Words } from "./errors.js";
import * as format from "./format.js";
import { Models } from "./models.js";
import { PatchesView } from "./patches.js";
import { decode, initPictures, invert, sample, type Picture } from "./pictures.js";
import { showNothing, showResult } from "./result.js";
import { startPhotos } from "./photos.js";
import { Scene } from "./scene.js";
import { inputOf } from "./seen.js";
import { fromDrop, holdsModel, initSources, type Dropped } from "./sources.js";
import { Stage } from "./stage.js";
import { STANDARD } from "./standard.js";
import { isShown } from "./views.js";

/** What the view opens with. */
const FIRST = 9;
/** Milliseconds: what takes less is timed a second time. */
const QUICK = 150;

const WORDS: Words = {
  "unsupported-model": ["This kind of model is not supported here", "Try a ViT, DeiT or DINOv2 in Hugging Face’s layout."],
  "corrupt-file": ["The file is damaged, or not what it should be", "Pictures may be PNG, JPEG, WebP, GIF, AVIF or BMP; models safetensors or GGUF."],
  "missing-file": ["A file of the model is missing", "Choose config.json, model.safetensors and preprocessor_config.json together, or drop their folder."],
  "out-of-memory": ["There is not enough memory for this", "Close other tabs, or take a smaller picture or model."],
  "no-webgpu": ["The graphics processor cannot be used", "The CPU computes the same, only slower."],
  "device-lost": ["The connection to the graphics processor was lost", "Try again."],
  "invalid-argument": ["That cannot be done", "Take another picture, or other numbers."],
  "disposed": ["The model was unloaded", "Load it again."],
};

const view = byId("images-view", HTMLElement);
const line = byId("image-status", HTMLElement);
const compute = [byId("compute-webgpu", HTMLInputElement), byId("compute-cpu", HTMLInputElement)];
const grid = byId("grid", HTMLInputElement);
const inverted = byId("invert", HTMLButtonElement);

type State = "empty" | "loading" | "ready" | "working";

/** A screen reader hears each new line of the status. */
function setStatus(state: State, text: string): void {
  view.dataset["state"] = state;
  if (line.textContent !== text) line.textContent = text;
}

class Images {
  private readonly stage = new Stage();
  private readonly attention = new AttentionView(this.stage, (error) => this.failed(error));
  private readonly patches = new PatchesView(this.stage, (error) => this.failed(error), (text) => this.busy(text));
  private readonly models: Models<ImageClassifier>;
  private model: ImageClassifier | undefined;
  private picture: Picture | undefined;
  private scene: Scene | undefined;
  /** The picture that is on its way: a later one overtakes it. */
  private coming: Promise<Picture> | undefined;

  constructor() {
    this.models = new Models<ImageClassifier>({
      prefix: "image-",
      tasks: ["image-classification"],
      standard: STANDARD.images,
      unasked: true,
      load: async (source, options) => warm(await ImageClassifier.load(source, options)),
      engineOptions: () => ({ device: compute.find(({ checked }) => checked)?.value as "webgpu" | "cpu" | undefined ?? "auto" }),
      facts: (model) => facts(model),
      status: setStatus,
      words: WORDS,
      next: "picture-file",
      onLoad: (model) => this.setModel(model),
      onUnload: () => this.setModel(undefined),
    });
    initSources("image-", (choice) => void this.models.open(choice));
    initPictures((picture) => void this.open(picture), () => isShown("images"));
    initCamera((picture) => void this.open(picture));
    for (const radio of compute) radio.addEventListener("change", () => void this.models.reload().then(() => this.showDevice()));
    inverted.addEventListener("click", () => void this.invert());
    this.initOverlays();
    void this.open(sample(FIRST));
    void this.models.ready();
  }

  /** Shows a picture once it is there, and looks at it. */
  async open(coming: Promise<Picture>): Promise<void> {
    this.coming = coming;
    hideError();
    turnOff();
    try {
      const picture = await coming;
      if (this.coming !== coming) return picture.bitmap.close();
      inverted.ariaPressed = "false";
      this.setPicture(picture);
    } catch (error) {
      if (this.coming === coming) this.failed(error);
    }
  }

  private async invert(): Promise<void> {
    const before = this.picture;
    if (!before) return;
    const picture = await invert(before).catch((error: unknown) => this.failed(error));
    if (!picture) return;
    if (this.picture !== before) return picture.bitmap.close();
    inverted.ariaPressed = String(inverted.ariaPressed !== "true");
    this.setPicture(picture);
  }

  /** A folder or the files of a model load it; anything else is a picture. */
  async drop(dropped: Dropped): Promise<void> {
    const [file] = dropped.files;
    if (await holdsModel(dropped)) void this.models.open(await fromDrop(dropped));
    else if (file) void this.open(decode(file, file.name));
  }

  private setPicture(picture: Picture): void {
    const before = this.picture;
    this.picture = picture;
    const { canvas } = this.stage;
    canvas.dataset["picture"] = picture.name;
    canvas.setAttribute("aria-label", `${picture.name}, ${picture.bitmap.width} × ${picture.bitmap.height} pixels`);
    this.stage.show(picture.bitmap);
    if (picture.tiles) byId("overlay-patches", HTMLInputElement).click(); // what the sheet is for
    this.look();
    before?.bitmap.close();
  }

  private setModel(model: ImageClassifier | undefined): void {
    this.model = model;
    this.showDevice();
    this.look();
  }

  private showDevice(): void {
    const kind = this.model?.engine.device.kind;
    if (!kind) return; // what the user chose counts for the next load
    for (const radio of compute) radio.checked = radio.value === kind;
  }

  /** What there is to see of the present picture with the present model. */
  private look(): void {
    const { model, picture } = this;
    this.scene = model && picture ? new Scene(model, picture) : undefined;
    this.stage.setOverlay(undefined);
    this.attention.setScene(this.scene);
    this.patches.setScene(this.scene);
    void this.showGrid();
    if (this.scene) void this.classify(this.scene);
  }

  private async classify(scene: Scene): Promise<void> {
    const { model, picture } = scene;
    setStatus("working", "Looking");
    const look = async () => {
      const started = performance.now();
      const best = await model.classify(picture.bitmap);
      return { best, milliseconds: performance.now() - started };
    };
    try {
      let { best, milliseconds } = await look();
      if (scene !== this.scene) return;
      showResult(best, milliseconds, model.engine.device);
      // The first of a page pays for what the browser makes once.
      if (milliseconds < QUICK) ({ milliseconds } = await look());
      if (scene !== this.scene) return;
      showResult(best, milliseconds, model.engine.device);
      if (isShown("images")) announce(`${best[0]?.label}, ${format.percent(best[0]?.score ?? 0)}`);
    } catch (error) {
      if (scene !== this.scene) return;
      if (hasClasses(model)) this.failed(error);
      else showNothing("This model has no classes to tell: its attention is what there is to see.");
    }
    this.busy("");
  }

  private initOverlays(): void {
    const opacity = byId("opacity", HTMLInputElement);
    for (const radio of document.querySelectorAll<HTMLInputElement>("input[name=overlay]")) {
      radio.addEventListener("change", () => this.setOverlay(radio.value));
    }
    opacity.addEventListener("input", () => {
      byId("opacity-value", HTMLOutputElement).textContent = `${opacity.value} %`;
      this.stage.setStrength(Number(opacity.value) / 100);
    });
    grid.addEventListener("change", () => void this.showGrid());
    this.setOverlay("none");
    byId("overlay-none", HTMLInputElement).checked = true; // browsers remember what was chosen before a reload
  }

  private setOverlay(which: string): void {
    this.attention.setActive(false);
    this.patches.setActive(false);
    this.stage.setOverlay(undefined);
    byId("attention-controls", HTMLElement).hidden = which !== "attention";
    byId("patch-controls", HTMLElement).hidden = which !== "patches";
    byId("opacity-control", HTMLElement).hidden = which === "none";
    this.attention.setActive(which === "attention");
    this.patches.setActive(which === "patches");
  }

  private async showGrid(): Promise<void> {
    const caption = byId("grid-caption", HTMLElement);
    const { scene } = this;
    const cut = grid.checked ? await scene?.cut().catch((error: unknown) => this.failed(error)) : undefined;
    if (scene !== this.scene) return;
    this.stage.setGrid(cut ?? undefined);
    caption.hidden = !cut;
    if (!cut || !scene) return;
    const [height, width] = inputOf(scene.model.summary).patch;
    caption.textContent =
      `It brings the picture to ${cut.width} × ${cut.height} pixels and cuts it into ${cut.columns} × ${cut.rows} patches ` +
      `of ${width} × ${height}: each becomes a token.`;
  }

  /** Says what runs, or that nothing does. */
  private busy(text: string): void {
    if (!this.model) return;
    setStatus(text ? "working" : "ready", text || "Ready");
  }

  private failed(error: unknown): void {
    if (!isAbort(error)) showError(error, "", WORDS);
    this.busy("");
  }
}

/** The first picture should not have to wait for what is made once: then the time shown is that of any picture. */
async function warm(model: ImageClassifier): Promise<ImageClassifier> {
  if (hasClasses(model)) await model.classify({ data: new Uint8Array(4), width: 1, height: 1 });
  return model;
}

/** Some checkpoints only make features. */
const hasClasses = (model: ImageClassifier) => model.labels.length > 0;

function facts(model: ImageClassifier): string[] {
  const { channels, image, patch } = inputOf(model.summary);
  const classes = hasClasses(model) ? `${format.count(model.labels.length)} classes` : "no classes";
  return [
    `${image[1]} × ${image[0]} ${channels === 1 ? "grey pixels" : "pixels"}`,
    `patches of ${patch[1]} × ${patch[0]}`,
    classes,
  ];
}

let images: Images | undefined;

/** Opens the view; the second time it is as it was. */
export function startImages(): void {
  if (images) return;
  images = new Images();
  startPhotos();
}

/** A drop while the view is shown. */
export function dropOnImages(dropped: Dropped): void {
  startImages();
  void images?.drop(dropped);
}
