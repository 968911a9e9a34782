export default {
  entry: "./main.js",
  performance: { hints: false }, // a language model is larger than a page's usual script
};
