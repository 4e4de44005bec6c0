// What all parts of the page need.

export const at = (id) => document.getElementById(id);
export const element = (name, text) =>
  Object.assign(document.createElement(name), text === undefined ? {} : { textContent: text });
export const GONE = "the connection is gone; it is tried again";
export const UNANSWERED = "the server does not answer: start it again, and then try once more";

/// What the address asks for.
export const asked = () => new URLSearchParams(location.search);

export function address(path, query) {
  return `${path}?${new URLSearchParams(query)}`;
}

/// Goes to another address of this page, which then shows what it asks for.
export function go(query) {
  history.pushState(null, "", `?${query}`);
  dispatchEvent(new PopStateEvent("popstate"));
}

/// A link that [`go`] follows.
export function link(text, query) {
  const made = element("a", text);
  made.href = `?${query}`;
  made.addEventListener("click", (event) => {
    // With a key held the browser opens another tab.
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(query);
  });
  return made;
}

/// The address with other runs: what the list shows stays.
export function showing(names) {
  const query = asked();
  query.delete("run");
  for (const name of names) query.append("run", name);
  return query;
}

export function options(select, names, texts = names) {
  select.replaceChildren(...names.map((name, i) => new Option(texts[i], name)));
}

export function started(run) {
  return run.started_at?.slice(0, 19).replace("T", " ") ?? "";
}
