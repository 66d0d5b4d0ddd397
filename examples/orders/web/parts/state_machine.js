// The state machine of an order, drawn twice: wide, and tall for narrow screens. The style sheet shows
// one of them.

import { h, svg } from "../lib/dom.js";

const ARROWS = [
  ["Draft", "Reserved"], ["Reserved", "Processing"], ["Processing", "Completed"],
  ["Draft", "Cancelled"], ["Reserved", "Cancelled"], ["Processing", "Cancelled"],
];

const SIZE = { width: 112, height: 38 };

/** Where the centre of each state is. */
const WIDE = {
  view: "0 0 640 150",
  Draft: [58, 28], Reserved: [232, 28], Processing: [406, 28], Completed: [580, 28], Cancelled: [232, 120],
};
const TALL = {
  view: "0 0 270 290",
  Draft: [58, 28], Reserved: [58, 106], Processing: [58, 184], Completed: [58, 262], Cancelled: [212, 106],
};

/** `states` are those that the order has been in, the current one last. */
export function stateMachine(states) {
  const current = states.at(-1);
  return h("figure", { class: "machine" },
    draw(WIDE, "wide", states, current),
    draw(TALL, "tall", states, current),
    h("figcaption", { class: "hidden" }, `The order went through these states: ${states.join(", ")}.`));
}

function draw(layout, name, states, current) {
  const arrows = ARROWS.map(([from, to]) => {
    const isTaken = states.indexOf(to) === states.indexOf(from) + 1 && states.includes(from);
    const marker = `${name}-${isTaken ? "taken" : "arrow"}`;
    return svg("path", {
      d: line(layout[from], layout[to]), class: isTaken ? "taken" : null, "marker-end": `url(#${marker})`,
    });
  });
  const boxes = Object.keys(layout).filter((key) => key !== "view").map((state) => {
    const [x, y] = layout[state];
    const kind = state === current ? "current" : states.includes(state) ? "passed" : null;
    return svg("g", { class: kind, "data-state": state },
      svg("rect", { x: x - SIZE.width / 2, y: y - SIZE.height / 2, rx: 8, ...SIZE }),
      svg("text", { x, y: y + 5, "text-anchor": "middle" }, state));
  });
  return svg("svg", { viewBox: layout.view, class: name, "aria-hidden": "true" },
    svg("defs", {}, head(`${name}-arrow`, "arrow"), head(`${name}-taken`, "arrow taken")),
    arrows, boxes);
}

function head(id, kind) {
  return svg("marker", { id, class: kind, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 8, markerHeight: 8, orient: "auto" },
    svg("path", { d: "M0 0 L8 4 L0 8 z" }));
}

/** From the border of one box to the border of the other, towards their centres. */
function line(from, to) {
  const [start, end] = [border(from, to), border(to, from)];
  return `M${start.join(" ")} L${end.join(" ")}`;
}

function border([x, y], [towardsX, towardsY]) {
  const [dx, dy] = [towardsX - x, towardsY - y];
  const scale = Math.min((SIZE.width / 2 + 2) / Math.abs(dx), (SIZE.height / 2 + 2) / Math.abs(dy));
  return [x + dx * scale, y + dy * scale].map((number) => number.toFixed(1));
}
