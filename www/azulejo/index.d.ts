// Where the page finds the package once it is built: beside it, in the folder azulejo/.

export * from "../../dist/index.js";
