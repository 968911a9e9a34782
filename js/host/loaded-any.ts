// The core's models, each as the host keeps it.

import { AzulejoError } from "../shared/errors.js";
import type { Assets } from "../shared/protocol.js";
import type { AnyModel } from "../simd/azulejo.js";
import type { Instance } from "./instance.js";
import { LoadedImages } from "./loaded-images.js";
import { LoadedMatch } from "./loaded-match.js";
import { LoadedSeq2Seq, LoadedTexts } from "./loaded-texts.js";
import { LoadedModel } from "./loaded.js";

export type AnyLoaded = LoadedModel | LoadedImages | LoadedTexts | LoadedSeq2Seq | LoadedMatch;

export function keep(instance: Instance, model: AnyModel, assets: Assets): AnyLoaded {
  const { Model, ImageModel, TextModel, Seq2SeqModel, MatchModel } = instance.core;
  if (model instanceof Model) return new LoadedModel(instance, model, assets);
  if (model instanceof ImageModel) return new LoadedImages(instance, model);
  if (model instanceof TextModel) return new LoadedTexts(instance, model);
  if (model instanceof Seq2SeqModel) return new LoadedSeq2Seq(instance, model);
  if (model instanceof MatchModel) return new LoadedMatch(instance, model);
  throw new AzulejoError("internal", "the core has made a model that this package does not know");
}
