// One run, or several side by side: an event says that their files have grown, and what their report says is
// fetched again.

import { GONE, UNANSWERED, address, asked, at, element, link, showing, started } from "./common.js";
import { drawn } from "./figures.js";
import { watch } from "./live.js";
import { runs as list } from "./list.js";
import { hide, signals } from "./signals.js";

let growing = null; // the stream of these events
let names = []; // what is shown
let fetching = false;
let grown = false;

const query = () => names.map((name) => ["run", name]);

/// Shows the runs that the address names.
export function look() {
  names = [...new Set(asked().getAll("run"))];
  growing?.close();
  at("run").hidden = names.length === 0;
  if (names.length === 0) return;
  at("run-title").textContent = names.length === 1 ? names[0] : `${names.length} runs compared`;
  at("run-state").textContent = "reading…";
  cleared();
  at("run-report").href = address("report", query());
  at("run-report").textContent = names.length === 1 ? "Its report" : "Their report";
  at("run-title").focus();
  const stream = new EventSource(address("changes", query()));
  growing = stream;
  stream.onmessage = follow;
  stream.onerror = async () => {
    if (stream.readyState !== EventSource.CLOSED) return void (at("run-state").textContent = GONE);
    // A stream does not say why it was refused.
    const answer = await fetch(address("run", query())).catch(() => null);
    const said = await answer?.text();
    if (stream === growing && !answer?.ok) missing(said);
  };
}

/// `said` is why the server shows none of it.
function missing(said) {
  growing.close();
  const gone = names.length === 1 ? "there is no such run" : "one of these runs is not there";
  // Other reasons are the server's to tell.
  at("run-state").textContent = said === undefined ? UNANSWERED : said.startsWith("no such run") ? gone : said;
  cleared();
  list();
}

/// Takes away what was there of a run.
function cleared() {
  hide();
  for (const id of ["run-report", "run-watch", "run-problem", "files-title", "differences", "notes"]) at(id).hidden = true;
  for (const id of ["parts", "run-files", "compared", "differences", "notes-list"]) at(id).replaceChildren();
}

async function follow() {
  grown = true;
  if (fetching) return;
  fetching = true;
  while (grown) {
    grown = false;
    const begun = performance.now();
    const of = names;
    // Without an answer the stream has lost its server too, and says so.
    const answer = await fetch(address("run", query())).catch(() => null);
    // Another may have been chosen meanwhile.
    if (of !== names) grown = true;
    else if (answer?.ok) await draw(await answer.json());
    else if (answer) missing(await answer.text());
    // Reading a long file over and over must leave time for who writes it.
    await new Promise((done) => setTimeout(done, performance.now() - begun));
  }
  fetching = false;
}

function told(run) {
  return [run.command, run.seed && `seed ${run.seed}`, started(run) && `started ${started(run)}`, run.status].filter((part) => part).join(", ");
}

/// Of how many runs there is which status.
function counted(runs) {
  const counts = new Map();
  for (const { status } of runs) counts.set(status ?? "status unknown", (counts.get(status ?? "status unknown") ?? 0) + 1);
  return [...counts].map(([status, n]) => `${n} ${status}`).join(", ");
}

async function draw({ runs, parts, differences, notes, problem }) {
  if (runs.map((run) => run.name).join("\n") !== names.join("\n")) return;
  const one = runs.length === 1 ? runs[0] : null;
  const text = one ? told(one) : counted(runs);
  if (at("run-state").textContent !== text) {
    at("run-state").textContent = text;
    list();
  }
  at("run-report").hidden = problem !== null;
  at("run-watch").hidden = !one?.trained;
  at("run-watch").onclick = () => watch(one);
  at("files-title").hidden = one === null;
  at("run-problem").hidden = problem === null;
  at("run-problem").textContent = problem ?? "";
  inPlace(at("compared"), one ? [] : runs.map(compared));
  inPlace(at("run-files"), one ? files(one) : []);
  at("parts").replaceChildren(...parts.flatMap(part));
  at("differences").hidden = differences.length === 0;
  const shown = differences.length === 0 ? [] : [element("h3", "What differs between the runs"), ...differences.flatMap(table)];
  at("differences").replaceChildren(...shown);
  at("notes").hidden = notes.length === 0;
  at("notes-list").replaceChildren(...notes.map((note) => element("li", note)));
  await signals(one);
}

function compared(run) {
  const item = element("li");
  item.append(link(run.name, showing([run.name])), ` ${told(run)}`);
  return item;
}

/// Puts `items` into a list; those that stay do so in place: the keyboard may be at one of them.
function inPlace(shown, items) {
  const key = (item) => item.firstChild.nodeName + item.firstChild.textContent;
  const wanted = new Set(items.map(key));
  for (const item of [...shown.children]) if (!wanted.has(key(item))) item.remove();
  const kept = new Map([...shown.children].map((item) => [key(item), item]));
  let next = shown.firstChild;
  for (const item of items) {
    const same = kept.get(key(item));
    if (!same) {
      shown.insertBefore(item, next);
      continue;
    }
    same.lastChild.replaceWith(item.lastChild);
    next = same.nextSibling;
  }
}

function files(run) {
  return run.files.map((file) => {
    const item = element("li");
    const size = ` ${Math.ceil(file.bytes / 1000)} kB`;
    if (!file.shown) item.append(file.name, size);
    else {
      const link = element("a", file.name);
      link.href = address("file", { run: run.name, name: file.name });
      item.append(link, size);
    }
    return item;
  });
}

function part({ question, answer, figures }) {
  return [
    element("h3", question),
    element("p", answer),
    ...figures.map(drawn),
  ];
}

function table({ caption, columns, rows }) {
  const box = Object.assign(element("div"), { className: "scroll", tabIndex: 0, role: "region", ariaLabel: caption });
  const [made, head, body] = ["table", "thead", "tbody"].map((name) => element(name));
  const line = (cells, name) => {
    const made = element("tr");
    made.append(...cells.map((text) => element(name, text)));
    return made;
  };
  head.append(line(columns, "th"));
  body.append(...rows.map((row) => line(row, "td")));
  made.append(head, body);
  box.append(made);
  return [element("p", caption), box];
}
