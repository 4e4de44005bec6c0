// A world, live: scenes come as server-sent events and are drawn as they come.

import { GONE, UNANSWERED, at, element, options } from "./common.js";

export const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
const PAST = 400;
/// Trainings that are offered as agents: those that began last.
const OFFERED = 200;
const PROPHET = "prophet:";

const choice = at("choice");
let known = null; // what can be chosen, and the ramp
let trained = []; // the runs whose policy can act
let source = null; // the stream, while it flows
let chosen = null; // what it shows
let seen = ""; // the id of the last scene, from which a pause goes on
let step = 0; // and its step
let past = [];

// What can be chosen.

/// Asks the server what there is.
export async function worlds() {
  known = await (await fetch("worlds")).json();
  options(choice.env, known.worlds.map((world) => world.name), known.worlds.map((world) => `${world.name}: ${world.what}`));
  options(choice.rate, known.rates);
  choice.env.value = "gardener";
  choice.rate.value = calm ? known.rates[0] : 10;
  agents();
}

/// Offers the trainings among `runs` as agents of their worlds.
export function offer(runs) {
  trained = runs.filter((run) => run.trained);
  const before = choice.agent.value;
  listed();
  choice.agent.value = before;
  if (choice.agent.value !== before) agents();
}

/// The agents of the world that is chosen, and its own one chosen.
function agents() {
  listed();
  choice.agent.value = world().agent;
  presets();
}

function world() {
  return known.worlds.find((world) => world.name === choice.env.value);
}

function listed() {
  options(choice.agent, world().agents);
  const here = trained.filter((run) => run.worlds.some((name) => name.split(", ")[0] === choice.env.value));
  if (here.length === 0) return;
  const last = here.toSorted((a, b) => (b.started_at ?? "").localeCompare(a.started_at ?? "")).slice(0, OFFERED);
  const group = element("optgroup");
  group.label = here.length > OFFERED ? `trained, the last ${OFFERED} of ${here.length}` : "trained";
  group.append(...last.map((run) => new Option(`prophet: ${run.name}`, PROPHET + run.name)));
  choice.agent.append(group);
}

/// The presets for the agent that is chosen: a trained one also has the settings that it was trained with.
function presets() {
  const run = trained.find((run) => PROPHET + run.name === choice.agent.value);
  const before = choice.preset.value || "reference";
  options(choice.preset, run ? [known.trained, ...known.presets] : known.presets);
  choice.checkpoint.disabled = choice.sample.disabled = !run;
  if (run) choice.preset.value = known.trained;
  else choice.preset.value = known.presets.includes(before) ? before : "reference";
  controlled();
}

function controlled() {
  const run = trained.find((run) => PROPHET + run.name === choice.agent.value);
  const own = choice.preset.value === known.trained ? run?.control : null;
  choice.control.checked = own ?? world().control;
}

/// Shows the policy of a training, in the world that it was trained in.
export function watch(run) {
  const env = run.worlds[0]?.split(", ")[0];
  if (!known.worlds.some((world) => world.name === env)) return say(`${run.name} was trained in no world that is known here`);
  if (!trained.some((known) => known.name === run.name)) trained.push(run);
  choice.env.value = env;
  listed();
  // It may be none of the last ones.
  if (![...choice.agent.options].some((option) => option.value === PROPHET + run.name)) {
    choice.agent.append(new Option(`prophet: ${run.name}`, PROPHET + run.name));
  }
  choice.agent.value = PROPHET + run.name;
  presets();
  start();
  at("live-title").focus();
  at("live").scrollIntoView();
}

// The stream.

function asking(from) {
  return `live/${encodeURIComponent(chosen.env)}?${new URLSearchParams({ ...chosen, from })}`;
}

function open(from) {
  close();
  source = new EventSource(asking(from));
  let told = what();
  source.onopen = () => say(told);
  source.onmessage = (message) => {
    seen = message.lastEventId;
    const scene = JSON.parse(message.data);
    told = what(scene.checkpoint);
    if (at("state").textContent === what()) say(told);
    show(scene);
  };
  source.onerror = async () => {
    if (source?.readyState !== EventSource.CLOSED) return say(GONE);
    close();
    at("pause").disabled = true;
    // A stream does not say why it was refused; the same question does.
    const answer = await fetch(asking(seen || from)).catch(() => null);
    say(answer === null ? UNANSWERED : await answer.text());
  };
  at("pause").disabled = false;
  at("pause").textContent = "Pause";
  say(told);
}

/// What is shown, with the step of the checkpoint that acts.
function what(checkpoint) {
  const drawn = chosen.sample ? ", sampled" : "";
  const which = chosen.agent.includes("@") ? "checkpoint" : "best checkpoint";
  const of = checkpoint === undefined ? "" : ` (${which}, of step ${checkpoint}${drawn})`;
  return `${chosen.env}, ${chosen.preset}, ${chosen.agent}${of}, seed ${chosen.seed}, control ${chosen.control ? "on" : "off"}`;
}

function close() {
  source?.close();
  source = null;
}

export function say(text) {
  if (at("state").textContent !== text) at("state").textContent = text;
}

export function start() {
  // A box that is not ticked is no part of a form.
  const { checkpoint, ...form } = Object.fromEntries(new FormData(choice));
  const agent = checkpoint && checkpoint !== "best" ? `${form.agent}@${checkpoint}` : form.agent;
  chosen = { ...form, agent, control: choice.control.checked, sample: !choice.sample.disabled && choice.sample.checked };
  past = [];
  seen = "";
  open("");
}

choice.env.addEventListener("change", agents);
choice.agent.addEventListener("change", presets);
choice.preset.addEventListener("change", controlled);
choice.rate.addEventListener("change", () => {
  if (chosen) chosen.rate = choice.rate.value;
  if (source) open(seen);
});
choice.addEventListener("submit", (event) => {
  event.preventDefault();
  start();
});
at("pause").addEventListener("click", () => {
  if (!source) return open(seen);
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

/// What the colours mean, in numbers, and the marks.
function legend(colours, marks) {
  at("scale").hidden = false;
  at("scale-of").textContent = colours;
  at("legend").textContent = marks;
  const canvas = at("ramp");
  const pen = canvas.getContext("2d");
  for (let x = 0; x < canvas.width; x++) {
    pen.fillStyle = colour(x / (canvas.width - 1));
    pen.fillRect(x, 0, 1, canvas.height);
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
  legend("dirt of a cell", "White squares are gardeners.");
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
  legend(
    "used, by height and colour",
    "A node: cpu as the left bar, memory as the right one. A white corner is a critical node, a white frame the agent, an orange one a node out of memory.",
  );
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
    // What is no number is sent as none.
    caption.children[1].textContent = share === null ? "–" : `${(100 * share).toFixed(0)}%`;
    const pen = canvas.getContext("2d");
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.fillStyle = style;
    past.forEach((shares, x) => {
      const height = Math.min(Math.max(shares[i], 0), 1) * canvas.height;
      pen.fillRect(x, canvas.height - height, 1, height);
    });
  });
}
