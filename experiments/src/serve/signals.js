// The signals of a watched run: a badge, what the last window says, figures, and what happened.

import { address, at, element } from "./common.js";
import { drawn } from "./figures.js";

const LOG = "events.jsonl";
let run = null; // whose signals are shown
let of = null; // the source or lane that was chosen
let latest = 0; // an answer to an earlier question comes too late

/// Shows the signals of `one`; nothing of several runs, or of one that nothing watched.
export async function signals(one) {
  const watched = one?.files.some((file) => file.name.split("/").at(-1) === LOG);
  if (!watched || run !== one.name) hide();
  if (!watched) return;
  run = one.name;
  await fetched();
}

export function hide() {
  latest += 1;
  [run, of] = [null, null];
  at("signals").hidden = true;
  for (const id of ["signals-last", "signals-figures", "signals-moments", "signals-notes"]) at(id).replaceChildren();
}

async function fetched() {
  const asked = (latest += 1);
  const query = { run };
  if (of !== null) query.of = of;
  const answer = await fetch(address("signals", query)).catch(() => null);
  const told = answer?.ok ? await answer.json() : null;
  if (asked !== latest || told === null) return;
  draw(told);
}

function draw({ of: shown, names, level, told, last, unit, figures, moments, notes }) {
  at("signals").hidden = false;
  const badge = at("signals-level");
  const word = level ?? "unknown";
  // What a screen reader reads out again must have changed.
  if (badge.textContent !== word) badge.textContent = word;
  badge.dataset.level = word;
  at("signals-told").textContent = told;
  at("signals-last").replaceChildren(...(last ?? []).map(reading));
  choices(names, shown);
  at("signals-figures").replaceChildren(...figures.map(drawn));
  at("signals-happened").hidden = moments.length === 0;
  at("signals-unit").textContent = unit;
  at("signals-moments").replaceChildren(...moments.toReversed().map(moment));
  at("signals-notes").replaceChildren(...notes.map((note) => element("li", note)));
}

/// Leaves the list as it is while it says the same: somebody may have opened it.
function choices(names, shown) {
  const select = at("signals-of");
  // One that was asked for by another way is in the list too.
  const all = shown === null || names.includes(shown) ? names : [shown, ...names];
  const short = (name) => name.split("/").slice(1).join("/") || name;
  if ([...select.options].map((option) => option.value).join("\n") !== all.join("\n")) {
    select.replaceChildren(...all.map((name) => new Option(short(name), name)));
  }
  if (shown !== null) select.value = shown;
  select.closest("label").hidden = all.length < 2;
  select.onchange = () => {
    of = select.value;
    fetched();
  };
}

function reading([name, value]) {
  const pair = element("div");
  pair.append(element("dt", name), element("dd", value ?? "unknown"));
  return pair;
}

function moment({ number, clock, kind, reason }) {
  const row = element("tr");
  row.append(...[number, clock, kind, reason].map((text) => element("td", text)));
  return row;
}
