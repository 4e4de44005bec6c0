// The list of runs: filtered, sorted, a page at a time, with those ticked that are to be compared. What it
// shows stands in the address.

import { UNANSWERED, asked, at, element, go, link, options, showing, started } from "./common.js";
import { offer } from "./live.js";

/// Rows of a page.
const PAGE = 100;
/// As many the server compares at once.
const COMPARED = 100;

/// Of each column what stands in it and what it sorts by; a text sorts by itself. What is most asked for comes
/// first: a narrow window shows no more.
const COLUMNS = {
  run: [(run) => run.name],
  command: [(run) => run.command],
  status: [(run) => run.status],
  steps: [steps, (run) => run.steps],
  result: [(run) => run.result, (run) => run.value ?? run.result],
  world: [(run) => run.worlds.join("; ")],
  agent: [(run) => run.agents.join(", ")],
  recipe: [(run) => run.recipes.join("; ")],
  seed: [(run) => run.seed],
  started: [started],
};
/// What can be chosen among the values that there are, and the values of a run.
const CHOICES = {
  command: (run) => [run.command],
  world: (run) => run.worlds,
  agent: (run) => run.agents,
  status: (run) => [run.status],
};

const filter = at("filter");
const ticked = new Set();
let dir = "";
let all = [];
let fitting = [];
let wait = null;

const order = new Intl.Collator("en", { numeric: true });

/// How far it is, and of how many if it is not through.
function steps({ steps, planned, status }) {
  const through = status === "finished" || planned === null || steps === planned;
  if (steps === null) return null;
  return through ? steps.toLocaleString("en") : `${steps.toLocaleString("en")} of ${planned.toLocaleString("en")}`;
}

/// Asks for the list again.
export async function runs() {
  const answer = await fetch("runs").catch(() => null);
  if (!answer?.ok) {
    at("runs-state").textContent = answer === null ? UNANSWERED : await answer.text();
    return;
  }
  ({ dir, runs: all } = await answer.json());
  const names = new Set(all.map((run) => run.name));
  for (const name of ticked) if (!names.has(name)) ticked.delete(name);
  offer(all);
  choices();
  draw();
}

/// Offers the values that there are; one that the address asks for stays.
function choices() {
  for (const [name, of] of Object.entries(CHOICES)) {
    const select = filter[name];
    const before = select.value;
    const values = [...new Set(all.flatMap(of).filter((value) => value))].sort(order.compare);
    if (before && !values.includes(before)) values.push(before);
    options(select, ["", ...values], ["all", ...values]);
    select.value = before;
  }
}

/// Takes what the address asks for.
export function restore() {
  const query = asked();
  filter.find.value = query.get("find") ?? "";
  for (const name of Object.keys(CHOICES)) {
    const value = query.get(name) ?? "";
    if (![...filter[name].options].some((option) => option.value === value)) filter[name].append(new Option(value, value));
    filter[name].value = value;
  }
  const compared = query.getAll("run");
  if (compared.length > 1) {
    ticked.clear();
    for (const name of compared) ticked.add(name);
  }
  draw();
}

/// Puts into the address what is chosen; a page other than the first is one of this choice.
function keep(changed) {
  const query = asked();
  query.delete("page");
  for (const [name, value] of Object.entries(changed)) {
    if (value) query.set(name, value);
    else query.delete(name);
  }
  history.replaceState(null, "", `?${query}`);
  draw();
}

/// The column of the order, and whether it runs down.
function sorted() {
  const text = asked().get("sort") ?? "run";
  const down = text.startsWith("-");
  const column = down ? text.slice(1) : text;
  return Object.hasOwn(COLUMNS, column) ? { column, down } : { column: "run", down: false };
}

/// The runs that fit all that is chosen, in order; what has no value comes last either way.
function fit() {
  const words = filter.find.value.toLowerCase().split(/\s+/).filter((word) => word);
  const chosen = Object.entries(CHOICES).filter(([name]) => filter[name].value);
  const text = (run) => Object.values(COLUMNS).map(([of]) => of(run) ?? "").join("\n").toLowerCase();
  const { column, down } = sorted();
  const [shown, sort = shown] = COLUMNS[column];
  const key = (run) => sort(run) ?? "";
  const compare = (a, b) => {
    if (a === "" || b === "") return (a === "") - (b === "");
    const numbers = typeof a === "number" && typeof b === "number";
    const before = numbers ? a - b : order.compare(a, b);
    return down ? -before : before;
  };
  return all
    .filter((run) => chosen.every(([name]) => CHOICES[name](run).includes(filter[name].value)))
    .filter((run) => words.length === 0 || words.every((word) => text(run).includes(word)))
    .map((run) => [key(run), run])
    .sort(([a], [b]) => compare(a, b))
    .map(([, run]) => run);
}

function draw() {
  fitting = fit();
  const pages = Math.max(1, Math.ceil(fitting.length / PAGE));
  const page = Math.min(Math.max(1, Number.parseInt(asked().get("page") ?? "1", 10) || 1), pages);
  const from = (page - 1) * PAGE;
  const shown = fitting.slice(from, from + PAGE);
  const focused = document.activeElement?.dataset.key;
  at("list").replaceChildren(...shown.map(row));
  // Where the keyboard was.
  if (focused) [...at("list").querySelectorAll("[data-key]")].find((made) => made.dataset.key === focused)?.focus();
  at("runs-state").textContent = told(shown.length, from, pages);
  at("pages").hidden = pages === 1;
  at("before").disabled = page === 1;
  at("after").disabled = page === pages;
  heads();
  ticks();
}

function told(shown, from, pages) {
  const many = (n) => `${n.toLocaleString("en")} ${n === 1 ? "run" : "runs"}`;
  if (all.length === 0) return `no runs in ${dir}`;
  const some = fitting.length === all.length ? many(all.length) : `${fitting.length.toLocaleString("en")} of ${many(all.length)}`;
  return `${some} in ${dir}${pages > 1 ? `, ${(from + 1).toLocaleString("en")} to ${(from + shown).toLocaleString("en")} of them here` : ""}`;
}

function row(run) {
  const made = element("tr");
  const box = Object.assign(element("input"), { type: "checkbox", checked: ticked.has(run.name) });
  box.setAttribute("aria-label", `compare ${run.name}`);
  box.dataset.key = `tick ${run.name}`;
  box.addEventListener("change", () => {
    if (box.checked) ticked.add(run.name);
    else ticked.delete(run.name);
    ticks();
  });
  const tick = element("td");
  tick.className = "tick";
  tick.append(box);
  const name = element("th");
  name.scope = "row";
  const chosen = link(run.name, showing([run.name]));
  chosen.dataset.key = `run ${run.name}`;
  name.append(chosen);
  const cells = Object.entries(COLUMNS).slice(1).map(([column, [of]]) => {
    const cell = element("td", of(run) ?? "");
    cell.dataset.name = column;
    return cell;
  });
  made.append(tick, name, ...cells);
  return made;
}

/// Which column the order is by, on its head and in the choice that a phone has.
function heads() {
  const { column, down } = sorted();
  for (const head of at("heads").querySelectorAll("th[data-column]")) {
    const by = head.dataset.column === column;
    head.ariaSort = by ? (down ? "descending" : "ascending") : null;
  }
  filter.sort.value = column;
  filter.down.checked = down;
}

/// What can be done with those that are ticked.
function ticks() {
  const n = ticked.size;
  at("compare").textContent = `Compare ${n} ticked`;
  at("compare").disabled = n < 2 || n > COMPARED;
  at("untick").disabled = n === 0;
  at("tick-all").textContent = `Tick all ${fitting.length}`;
  at("tick-all").disabled = fitting.length === 0 || fitting.length > COMPARED;
  at("ticks").textContent = n > COMPARED ? `${COMPARED} can be compared at once: untick ${n - COMPARED}, or use resonetics report` : "";
}

for (const column of Object.keys(COLUMNS)) {
  const head = element("th");
  head.scope = "col";
  head.dataset.column = column;
  const button = Object.assign(element("button", column), { type: "button" });
  button.addEventListener("click", () => {
    const { column: now, down } = sorted();
    keep({ sort: now === column && !down ? `-${column}` : column });
  });
  head.append(button);
  at("heads").append(head);
}
options(filter.sort, Object.keys(COLUMNS));

filter.addEventListener("submit", (event) => event.preventDefault());
filter.find.addEventListener("input", () => {
  // Each letter would be an address of its own.
  clearTimeout(wait);
  wait = setTimeout(() => keep({ find: filter.find.value.trim() }), 150);
});
for (const name of Object.keys(CHOICES)) {
  filter[name].addEventListener("change", () => keep({ [name]: filter[name].value }));
}
for (const name of ["sort", "down"]) {
  filter[name].addEventListener("change", () => keep({ sort: (filter.down.checked ? "-" : "") + filter.sort.value }));
}
at("refresh").addEventListener("click", runs);
at("compare").addEventListener("click", () => go(showing([...ticked])));
at("tick-all").addEventListener("click", () => {
  for (const run of fitting) ticked.add(run.name);
  draw();
});
at("untick").addEventListener("click", () => {
  ticked.clear();
  draw();
});
for (const [id, by] of [["before", -1], ["after", 1]]) {
  at(id).addEventListener("click", () => {
    const page = (Number.parseInt(asked().get("page") ?? "1", 10) || 1) + by;
    keep({ page: page > 1 ? String(page) : "" });
    at("runs-title").scrollIntoView();
  });
}

