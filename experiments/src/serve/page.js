// The page: live worlds, the list of runs, and what is said of those that the address names.

import { asked, at } from "./common.js";
import { calm, say, start, worlds } from "./live.js";
import { restore, runs } from "./list.js";
import { look } from "./run.js";

addEventListener("popstate", () => {
  restore();
  look();
});

await worlds();
restore();
await runs();
look();
// Nobody who asked for little motion, or for a run, gets a garden unasked.
if (calm || asked().has("run")) say("Press Start to watch this world.");
else start();
// What is looked for by this is ready.
at("live").dataset.ready = "";
