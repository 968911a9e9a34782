// azulejo's worker, on a GPU of which one call can fail.

import "./gpu-hooks.js";
import "/dist/worker.js";
