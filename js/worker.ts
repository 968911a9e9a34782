// The worker's entry: a host at the other end of this worker's channel.

import { Host } from "./host/host.js";
import { serveAs } from "./host/serve.js";
import type { FromHost, ToHost } from "./shared/protocol.js";

export { Host };

serveAs<ToHost, FromHost>("azulejo", (port) => {
  const host = new Host(port);
  return (message) => host.receive(message);
});
