// Models on a server. Nothing here runs.

/** A server that speaks OpenAI's API (vLLM, llama.cpp's), or KServe's v2 protocol for images (Triton). */
export interface RemoteOptions {
  /**
   * What the protocol's paths are put behind: of OpenAI's API the address that ends in "/v1", of KServe's what stands before
   * "/v2". A path is one of the page's own origin: of the proxy that has the key.
   */
  url: string | URL;
  /** @defaultValue "kserve" for an ImageClassifier, else "openai" */
  protocol?: "openai" | "kserve" | undefined;
  /**
   * The model's name there.
   * @defaultValue the one that an OpenAI server has; KServe's need it
   */
  model?: string | undefined;
  /** For every request; a function is asked before each, for tokens that expire. Whatever a page sends, its user can read. */
  headers?: Record<string, string> | (() => Promise<Record<string, string>>) | undefined;
  /** Of a KServe model, whose protocol does not say how pictures become tensors, or what the classes are called. */
  images?: RemoteImages | undefined;
}

/** How a KServe model wants its pictures, and what its classes are called. */
export interface RemoteImages {
  /** Of values from 0 to 1, one for each channel, as preprocessor_config.json has them: what an input of floats needs. */
  mean?: number[] | undefined;
  /** Of values from 0 to 1 likewise: what they are divided by once the mean is taken off. */
  std?: number[] | undefined;
  /**
   * By index.
   * @defaultValue what Triton's extension "classification" tells, else "LABEL_0" and so on
   */
  labels?: string[] | undefined;
}

/** Where a model is that does not compute here. */
export interface ModelServer {
  /** As it was given, whole. */
  url: string;
  /** Its name there. */
  model: string;
  /** "vLLM", "llama.cpp", "llama-cpp-python", "KServe v2", or "OpenAI's API" where the server is none that is known. */
  software: string;
  /** Of a `fallback`: why it is not here. */
  why?: string | undefined;
}
