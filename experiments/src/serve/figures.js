// A figure of a report, for a wide window and for a narrow one.

import { element } from "./common.js";

export function drawn({ caption, ...svg }) {
  const figure = element("figure");
  for (const size of ["wide", "narrow"]) {
    const box = Object.assign(element("div"), { className: size });
    box.append(new DOMParser().parseFromString(svg[size], "image/svg+xml").documentElement);
    figure.append(box);
  }
  figure.append(element("figcaption", caption));
  return figure;
}
