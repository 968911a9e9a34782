// Made on the server, where importing azulejo does nothing; the model runs in the browser.

import { version } from "azulejo";
import Answer from "./answer.jsx";

export default function Page() {
  return <main data-version={version}><Answer /></main>;
}
