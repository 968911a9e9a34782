/**
 * What `azulejo` exports, and its worker's code in one module graph without any `import()`: for service workers, which
 * allow none.
 *
 * @module azulejo/in-this-thread
 */

import { provideServers } from "./page/servers.js";
import { provideHost } from "./page/transport.js";
import { connect } from "./remote/connect.js";
import { Host } from "./worker.js";

export * from "./index.js";

provideHost(Host);
provideServers(connect);
