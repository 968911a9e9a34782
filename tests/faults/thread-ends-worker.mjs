// azulejo's worker, of whose pool a thread ends.

import "./thread-ends.mjs";
import "../../dist/worker.js";
