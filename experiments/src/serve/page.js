// The page: scenes come as server-sent events and are drawn as they come, the runs as JSON.

const at = (id) => document.getElementById(id);
const element = (name, text) => Object.assign(document.createElement(name), text === undefined ? {} : { textContent: text });
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
const PAST = 400;
const GONE = "the connection is gone; it is tried again";
const UNANSWERED = "the server does not answer: start it again, and then try once more";

const choice = at("choice");
let known = null; // what can be chosen, and the ramp
let source = null; // the stream, while it flows
let chosen = null; // what it shows
let step = 0; // the last step seen, from which a pause goes on
let past = [];

// What can be chosen.

function options(select, names, texts = names) {
  select.replaceChildren(...names.map((name, i) => new Option(texts[i], name)));
}

function agents() {
  const world = known.worlds.find((world) => world.name === choice.env.value);
  options(choice.agent, world.agents);
  choice.agent.value = world.agent;
  choice.control.checked = world.control;
}

// The stream.

function open(from) {
  close();
  const query = new URLSearchParams({ ...chosen, from });
  const address = `live/${encodeURIComponent(chosen.env)}?${query}`;
  source = new EventSource(address);
  const what = `${chosen.env}, ${chosen.preset}, ${chosen.agent}, seed ${chosen.seed}, control ${chosen.control ? "on" : "off"}`;
  source.onopen = () => say(what);
  source.onmessage = (message) => show(JSON.parse(message.data));
  source.onerror = async () => {
    if (source?.readyState !== EventSource.CLOSED) return say(GONE);
    close();
    at("pause").disabled = true;
    // A stream does not say why it was refused; the same question does.
    const answer = await fetch(address).catch(() => null);
    say(answer === null ? UNANSWERED : await answer.text());
  };
  at("pause").disabled = false;
  at("pause").textContent = "Pause";
  say(what);
}

function close() {
  source?.close();
  source = null;
}

function say(text) {
  if (at("state").textContent !== text) at("state").textContent = text;
}

function start() {
  // A box that is not ticked is no part of a form.
  chosen = { ...Object.fromEntries(new FormData(choice)), control: choice.control.checked };
  past = [];
  open(0);
}

choice.env.addEventListener("change", agents);
choice.rate.addEventListener("change", () => {
  if (chosen) chosen.rate = choice.rate.value;
  if (source) open(step);
});
choice.addEventListener("submit", (event) => {
  event.preventDefault();
  start();
});
at("pause").addEventListener("click", () => {
  if (!source) return open(step);
  close();
  at("pause").textContent = "Go on";
  say(`paused after ${step} steps`);
});

// Drawing.

function colour(share) {
  const last = known.ramp.length - 1;
  return `rgb(${known.ramp[Math.round(Math.min(Math.max(share, 0), 1) * last)].join(" ")})`;
}

function show(scene) {
  // After a reconnection the last scene may come twice.
  if (scene.step !== step || past.length === 0) past.push(scene.trends.map((trend) => trend[1]));
  if (past.length > PAST) past.shift();
  step = scene.step;
  const [rows, columns] = scene.grid;
  const canvas = at("grid");
  const cell = Math.max(1, Math.floor(480 / Math.max(rows, columns)));
  if (canvas.width !== columns * cell || canvas.height !== rows * cell) {
    [canvas.width, canvas.height] = [columns * cell, rows * cell];
  }
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#14181f";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  if (scene.garden) garden(pen, cell, columns, scene.garden);
  else cluster(pen, cell, columns, scene.cluster);
  readings(scene.readings);
  trends(scene.trends);
  if (scene.ending) {
    close();
    at("pause").disabled = true;
    say(`after ${step} steps: ${scene.ending}`);
  }
}

function garden(pen, cell, columns, { dirt, gardeners }) {
  dirt.forEach((share, i) => {
    pen.fillStyle = colour(share);
    pen.fillRect((i % columns) * cell, Math.floor(i / columns) * cell, cell, cell);
  });
  for (const [row, column] of gardeners) {
    pen.fillStyle = "#000000";
    pen.fillRect(column * cell, row * cell, cell, cell);
    pen.fillStyle = "#ffffff";
    const edge = cell > 2 ? Math.max(1, Math.floor(cell / 5)) : 0;
    pen.fillRect(column * cell + edge, row * cell + edge, cell - 2 * edge, cell - 2 * edge);
  }
  at("legend").textContent = "Cells from dark (clean) to bright (dirty); white squares are gardeners.";
}

function cluster(pen, cell, columns, { nodes, agent }) {
  const edge = Math.max(1, Math.floor(cell / 16));
  const half = (cell - 3 * edge) / 2;
  const high = cell - 2 * edge;
  nodes.forEach((node, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    const [x, y] = [column * cell, row * cell];
    if (row === agent[0] && column === agent[1]) pen.fillStyle = "#ffffff";
    else if (node.out_of_memory) pen.fillStyle = "#d55e00";
    else pen.fillStyle = "#14181f";
    pen.fillRect(x, y, cell, cell);
    pen.fillStyle = "#000000";
    pen.fillRect(x + edge, y + edge, cell - 2 * edge, high);
    [node.cpu, node.memory].forEach((share, place) => {
      pen.fillStyle = colour(share);
      pen.fillRect(x + edge + place * (half + edge), y + edge + high * (1 - share), half, high * share);
    });
    if (node.critical) {
      pen.fillStyle = "#ffffff";
      pen.fillRect(x + edge, y + edge, 2 * edge, 2 * edge);
    }
  });
  at("legend").textContent =
    "A node: cpu as the left bar, memory as the right one. A white corner is a critical node, a white frame the agent, an orange one a node out of memory.";
}

function readings(pairs) {
  const list = at("readings");
  if (list.children.length !== 2 * pairs.length) {
    list.replaceChildren(...pairs.flatMap(([name]) => [element("dt", name), element("dd")]));
  }
  pairs.forEach(([name, text], i) => {
    list.children[2 * i].textContent = name;
    list.children[2 * i + 1].textContent = text;
  });
}

function trends(pairs) {
  const box = at("trends");
  if (box.children.length !== pairs.length) {
    box.replaceChildren(
      ...pairs.map(() => {
        const figure = element("figure");
        const caption = element("figcaption");
        caption.append(element("span"), element("span"));
        const canvas = element("canvas");
        [canvas.width, canvas.height] = [PAST, 48];
        canvas.setAttribute("aria-hidden", "true");
        figure.append(caption, canvas);
        return figure;
      }),
    );
  }
  const style = getComputedStyle(document.documentElement).getPropertyValue("--curve");
  pairs.forEach(([name, share], i) => {
    const [caption, canvas] = box.children[i].children;
    caption.children[0].textContent = name;
    caption.children[1].textContent = `${(100 * share).toFixed(0)}%`;
    const pen = canvas.getContext("2d");
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.fillStyle = style;
    past.forEach((shares, x) => {
      const height = Math.min(Math.max(shares[i], 0), 1) * canvas.height;
      pen.fillRect(x, canvas.height - height, 1, height);
    });
  });
}

// Runs.

async function runs() {
  const answer = await fetch("runs").catch(() => null);
  if (!answer?.ok) {
    at("runs-state").textContent = answer === null ? UNANSWERED : await answer.text();
    return;
  }
  const { dir, runs } = await answer.json();
  at("runs-state").textContent = `${runs.length} in ${dir}`;
  at("list").replaceChildren(
    ...runs.map((run) => {
      const row = element("tr");
      const name = element("th");
      name.scope = "row";
      const chosen = element("a", run.name);
      chosen.href = address("", { run: run.name });
      chosen.addEventListener("click", (event) => {
        // With a key held the browser opens another tab.
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        history.pushState(null, "", chosen.href);
        look();
      });
      name.append(chosen);
      const list = element("ul");
      // What lies deeper is listed with the run itself.
      list.append(...files({ ...run, files: run.files.filter((file) => !file.name.includes("/")) }));
      if (run.reported) {
        const item = element("li");
        const link = element("a", "report");
        link.href = address("report", { run: run.name });
        link.setAttribute("aria-label", `report of ${run.name}`);
        item.append(link);
        list.prepend(item);
      }
      const cell = element("td");
      cell.append(list);
      const texts = { command: run.command, seed: run.seed, started: started(run), status: run.status };
      const cells = Object.entries(texts).map(([name, text]) => [name, element("td", text ?? "")]);
      for (const [name, told] of [...cells, ["files", cell]]) told.dataset.name = name;
      row.append(name, ...cells.map(([, told]) => told), cell);
      return row;
    }),
  );
}

function address(path, asked) {
  return `${path}?${new URLSearchParams(asked)}`;
}

function started(run) {
  return run.started_at?.slice(0, 19).replace("T", " ") ?? "";
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

at("refresh").addEventListener("click", runs);

// One run: an event says that its files have grown, and what its report says is fetched again.

let growing = null; // the stream of these events
let fetching = false;
let grown = false;

/// Shows the run that the address names.
function look() {
  const name = new URLSearchParams(location.search).get("run");
  growing?.close();
  at("run").hidden = name === null;
  if (name === null) return;
  at("run-title").textContent = name;
  at("run-state").textContent = "reading…";
  cleared();
  at("run-report").href = address("report", { run: name });
  at("run-title").focus();
  growing = new EventSource(address("changes", { run: name }));
  growing.onmessage = follow;
  growing.onerror = () => {
    if (growing.readyState !== EventSource.CLOSED) return void (at("run-state").textContent = GONE);
    missing();
  };
}

function missing() {
  growing.close();
  at("run-state").textContent = "there is no such run";
  cleared();
  runs();
}

/// Takes away what was there of a run.
function cleared() {
  for (const id of ["run-report", "run-problem", "files-title"]) at(id).hidden = true;
  at("parts").replaceChildren();
  at("run-files").replaceChildren();
}

async function follow() {
  grown = true;
  if (fetching) return;
  fetching = true;
  while (grown) {
    grown = false;
    const begun = performance.now();
    // Without an answer the stream has lost its server too, and says so.
    const answer = await fetch(address("run", { run: at("run-title").textContent })).catch(() => null);
    if (answer?.ok) draw(await answer.json());
    else if (answer?.status === 404) missing();
    // Reading a long file over and over must leave time for who writes it.
    await new Promise((done) => setTimeout(done, performance.now() - begun));
  }
  fetching = false;
}

function draw({ run, parts, problem }) {
  // Another may have been chosen meanwhile.
  if (run.name !== at("run-title").textContent) return;
  const told = [run.command, run.seed && `seed ${run.seed}`, started(run) && `started ${started(run)}`, run.status];
  const text = told.filter((part) => part).join(", ");
  if (at("run-state").textContent !== text) {
    at("run-state").textContent = text;
    runs();
  }
  at("run-report").hidden = !run.reported;
  at("files-title").hidden = false;
  at("run-problem").hidden = problem === null;
  at("run-problem").textContent = problem ?? "";
  // Those that stay do so in place: the keyboard may be at one of them.
  const [shown, items] = [at("run-files"), files(run)];
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
  at("parts").replaceChildren(
    ...parts.flatMap((part) => [
      element("h3", part.question),
      element("p", part.answer),
      ...part.figures.map((drawn) => {
        const figure = element("figure");
        for (const size of ["wide", "narrow"]) {
          const box = Object.assign(element("div"), { className: size });
          box.append(new DOMParser().parseFromString(drawn[size], "image/svg+xml").documentElement);
          figure.append(box);
        }
        figure.append(element("figcaption", drawn.caption));
        return figure;
      }),
    ]),
  );
}

addEventListener("popstate", look);

known = await (await fetch("worlds")).json();
options(choice.env, known.worlds.map((world) => world.name), known.worlds.map((world) => `${world.name}: ${world.what}`));
options(choice.preset, known.presets);
options(choice.rate, known.rates);
choice.env.value = "gardener";
choice.preset.value = "reference";
choice.rate.value = calm ? known.rates[0] : 10;
agents();
await runs();
look();
// Nobody who asked for little motion, or for a run, gets a garden unasked.
if (calm || !at("run").hidden) say("Press Start to see a garden.");
else start();
