// The models that the views load unless told otherwise: they come with the page, or lie on its server.

import type { Choice } from "./models.js";

export const STANDARD = {
  chat: { source: "/models/SmolLM2-135M-Instruct.Q4_1.gguf", name: "SmolLM2 135M Instruct" },
  images: { source: "/models/fashion-mnist-vit/", name: "Fashion-MNIST ViT" },
  search: { source: "/models/all-MiniLM-L6-v2/", name: "all-MiniLM-L6-v2" },
} satisfies Record<string, Choice>;
