"use strict";
// Draws charts as SVG. A chart: `title`, axes `x` and `y` ({title, log, from_zero, ticks, whole, labels}), `series`, and for
// a map `heat` ([low, high]). A series: `name`, `look` ([hue, dash, mark]), `x`, `y`, and some of: `text` (of each
// point), `error` (of each), `low` and `high` (a band), `points` (no line), `open`, `plain` (no points), `step`,
// `ends` (a cross at the last point), `dash` (over the look's), `thin`, `label` (at the line's end); of a map `symbol`,
// `size`, `heat`.
const DATA = JSON.parse(document.getElementById("data").textContent);
const NEAR = 30; // pixels within which a point answers the pointer
const FONT = 12; // pixels
const MARKS = DATA.marks;
const CROSS = "M-1-1L1 1M-1 1L1-1";
const VIRIDIS = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];

const hue = (one) => (one.look ? `var(--hue-${one.look[0]})` : "var(--bad)");
const cut = (text, most) => (text.length > most ? text.slice(0, Math.max(1, most - 1)) + "…" : text);
const ruler = document.createElement("canvas").getContext("2d");
const lengthOf = (text) => { ruler.font = `600 ${FONT}px system-ui, sans-serif`; return ruler.measureText(text).width; };
const finite = (v) => v !== null && v !== undefined && Number.isFinite(v);
const number = (v) => (Math.abs(v) >= 1e4 && Math.abs(v) < 1e15 ? Math.round(v).toLocaleString("en") : String(Number(v.toPrecision(5))));

function svg(name, attributes, parent, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent?.append(made);
  return made;
}

function roundNumbers(low, high, most) {
  const rough = (high - low) / most, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((s) => s * power).find((s) => s >= rough * 0.999);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k += 1) found.push(Number((k * step).toPrecision(12)));
  return found;
}

function roundPowers(low, high, most) {
  for (const digits of [[1, 2, 3, 5, 7], [1, 2, 5], [1, 3], [1]]) {
    const found = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) {
      found.push(...digits.map((d) => Number(`${d}e${power}`)).filter((v) => v >= low * 0.999 && v <= high * 1.001));
    }
    if (found.length <= most) return found.length < 4 ? roundNumbers(low, high, most).filter((v) => v > 0) : found;
    if (digits.length === 1) return found.filter((_, k) => k % Math.ceil(found.length / most) === 0);
  }
  return [];
}

// Where a value stands between two pixels, and which values have ticks.
function makeScale(axis, values, from, to, most) {
  const there = values.filter((v) => finite(v) && (!axis.log || v > 0));
  let low = there.reduce((a, b) => Math.min(a, b), Infinity), high = there.reduce((a, b) => Math.max(a, b), -Infinity);
  if (!there.length) [low, high] = axis.log ? [0.1, 1] : [0, 1];
  if (axis.from_zero) low = Math.min(low, 0);
  if (axis.labels) [low, high] = [-0.5, axis.labels.length - 0.5];
  const warp = axis.log ? Math.log10 : (v) => v;
  let [a, b] = [warp(low), warp(high)];
  if (b - a < 1e-12 * Math.max(1, Math.abs(b))) {
    const around = axis.log ? 0.1 : Math.abs(a) * 0.01 || 1;
    [a, b] = axis.whole ? [a - 1, b] : [a - around, b + around]; // one epoch: at the right end, beside its label
  }
  const room = axis.labels ? 0 : 0.04 * (b - a);
  [a, b] = [axis.from_zero && low === 0 ? a : a - room, b + room];
  const at = (v) => from + ((axis.log && v <= 0 ? a : warp(v)) - a) / (b - a) * (to - from);
  const [first, last] = axis.log ? [10 ** a, 10 ** b] : [a, b];
  const own = (axis.ticks ?? []).filter((v) => v >= first && v <= last);
  const round = (axis.log ? roundPowers : roundNumbers)(first, last, most);
  return { at, ticks: own.length ? own : axis.whole ? round.filter(Number.isInteger) : round };
}

// Texts in places as near as possible to where they belong, none on another.
function moveApart(wanted, low, high, step) {
  const order = wanted.map((_, k) => k).sort((a, b) => wanted[a] - wanted[b]);
  const places = [];
  order.forEach((k, n) => { places[k] = Math.max(wanted[k], n ? places[order[n - 1]] + step : low); });
  let most = high;
  for (const k of order.reverse()) { places[k] = Math.min(places[k], most); most = places[k] - step; }
  return places;
}

function linePath(one, X, Y) {
  let path = "", pen = false;
  one.x.forEach((x, k) => {
    if (!finite(x) || !finite(one.y[k])) { pen = false; return; }
    const [px, py] = [X.at(x).toFixed(1), Y.at(one.y[k]).toFixed(1)];
    path += !pen ? `M${px} ${py}` : one.step ? `H${px}V${py}` : `L${px} ${py}`;
    pen = true;
  });
  return path;
}

function heatColor(value, [low, high]) {
  const t = 4 * Math.min(1, Math.max(0, high > low ? (value - low) / (high - low) : 1)), k = Math.min(3, Math.floor(t));
  return `rgb(${VIRIDIS[k].map((c, n) => Math.round(c + (t - k) * (VIRIDIS[k + 1][n] - c)))})`;
}

function drawMark(parent, one, px, py, chart, k) {
  const size = one.size ? one.size / 2 : one.points ? 4.5 : 3;
  const path = { square: MARKS[1], x: CROSS, ring: MARKS[0] }[one.symbol] ?? MARKS[one.look?.[2] ?? 0];
  const open = one.open || one.symbol === "ring" || one.symbol === "x";
  const color = one.heat ? heatColor(one.heat[k], chart.heat) : one.symbol === "ring" ? "var(--ring)" : hue(one);
  const mark = svg("path", { d: path, transform: `translate(${px.toFixed(1)} ${py.toFixed(1)}) scale(${size})`, class: "mark" }, parent);
  mark.style.cssText = open ? `fill:none;stroke:${color};stroke-width:${2 / size}` : `fill:${color}`;
}

function drawSeries(plot, chart, one, X, Y, spots) {
  const group = svg("g", {}, plot), dash = one.dash ?? DATA.dashes[one.look?.[1] ?? 0];
  group.style.color = hue(one);
  const at = one.x.map((_, k) => k).filter((k) => finite(one.x[k]) && finite(one.y[k]) && !(chart.y.log && one.y[k] <= 0));
  if (one.low && at.length > 1) {
    const up = at.map((k) => `${X.at(one.x[k]).toFixed(1)} ${Y.at(one.high[k]).toFixed(1)}`);
    const down = at.map((k) => `${X.at(one.x[k]).toFixed(1)} ${Y.at(one.low[k]).toFixed(1)}`);
    svg("path", { d: `M${[...up, ...down.reverse()].join("L")}Z`, class: "band" }, group);
  }
  if (!one.points && !one.symbol) svg("path", { d: linePath(one, X, Y), class: "line", "stroke-dasharray": dash, "stroke-width": one.thin ? 1 : 2.2 }, group);
  for (const k of at) {
    const [px, py] = [X.at(one.x[k]), Y.at(one.y[k])];
    if (one.error?.[k]) {
      const [up, down] = [Y.at(one.y[k] + one.error[k]), Y.at(one.y[k] - one.error[k])].map((v) => v.toFixed(1));
      svg("path", { d: `M${px.toFixed(1)} ${up}V${down}m-3 0h6M${(px - 3).toFixed(1)} ${up}h6`, class: "line" }, group);
    }
    if (!(one.plain || one.step) || at.length === 1) drawMark(group, one, px, py, chart, k);
    const where = one.points || one.symbol === "ring" ? number(one.y[k]) : `${number(one.x[k])}: ${number(one.y[k])}`;
    spots.push({ px, py, text: [one.name, chart.heat ? "" : where, one.text?.[k]].filter(Boolean).join("\n") });
  }
  if (one.ends && at.length) drawMark(group, { ...one, symbol: "x", size: 9 }, X.at(one.x[at.at(-1)]), Y.at(one.y[at.at(-1)]), chart, 0);
}

function drawLabels(plot, labelled, X, Y, left, top, bottom, most) {
  const ends = labelled.map((one) => [one, one.y.findLastIndex((v, k) => finite(v) && finite(one.x[k]) && !(Y.log && v <= 0))]).filter(([, k]) => k >= 0);
  const wanted = ends.map(([one, k]) => Y.at(one.y[k])), places = moveApart(wanted, top, bottom, FONT + 2);
  ends.forEach(([one, k], n) => {
    const leader = svg("path", { d: `M${(X.at(one.x[k]) + 3).toFixed(1)} ${wanted[n].toFixed(1)}L${left + 4} ${places[n].toFixed(1)}h6`, class: "leader" }, plot);
    leader.style.stroke = hue(one);
    svg("text", { x: left + 13, y: places[n] + 4, class: "end" }, plot, cut(one.label, most));
  });
}

function describe(chart, shown) {
  const ends = shown.filter((one) => one.look && !one.points && one.y.length).slice(0, 20)
    .map((one) => `${one.name} ends at ${finite(one.y.at(-1)) ? number(one.y.at(-1)) : "no value"}`);
  return `${chart.y.title} by ${chart.x.title ?? "optimizer"}. ${ends.join("; ")}`;
}

// Draws into `host` all series but those whose names are hidden.
function drawChart(host, chart, hidden) {
  const shown = chart.series.filter((one) => one.x.length && !hidden.has(one.toggle ?? one.name));
  const width = Math.max(host.clientWidth, 240), height = Math.max(host.clientHeight, 200);
  const labelled = shown.filter((one) => one.label), most = width < 500 ? 11 : width < 900 ? 26 : 40;
  const longest = labelled.reduce((n, one) => Math.max(n, lengthOf(cut(one.label, most))), 0);
  const names = chart.x.labels ?? [], slanted = names.some((name) => lengthOf(name) > (width - 60) / names.length - 6);
  const right = labelled.length ? longest + 16 : chart.heat ? 56 : 10;
  const under = slanted ? 20 + Math.min(16, names.reduce((n, name) => Math.max(n, name.length), 0)) * 4 : 22;
  const [top, bottom] = [10, height - under - (chart.x.title ? 18 : 0)];
  const ys = shown.flatMap((one) => one.y.flatMap((v, k) => (!finite(v) ? [] : one.error ? [v - one.error[k], v + one.error[k]] : one.low ? [v, one.low[k], one.high[k]] : [v])));
  const Y = makeScale(chart.y, ys, bottom - (chart.heat ? 20 : 0), top + (chart.heat ? 20 : 0), Math.max(2, Math.floor((bottom - top) / 38)));
  Y.log = chart.y.log;
  const widest = Y.ticks.reduce((n, v) => Math.max(n, lengthOf(number(v))), 0);
  const box = { left: Math.round(widest) + 28, right: width - right, top, bottom };
  const edge = chart.heat ? 0.18 : 0.02; // of a map's or chart's width, left free for its marks
  const inset = edge * (box.right - box.left);
  const X = makeScale(chart.x, shown.flatMap((one) => one.x), box.left + inset, box.right - inset, Math.max(2, Math.floor((box.right - box.left) / 65)));
  const plot = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", class: "plot", "font-size": FONT });
  svg("title", {}, plot, chart.title || `${chart.y.title} by ${chart.x.title}`);
  svg("desc", {}, plot, describe(chart, shown));
  for (const v of Y.ticks) {
    svg("path", { d: `M${box.left} ${Y.at(v).toFixed(1)}H${box.right}`, class: "grid" }, plot);
    svg("text", { x: box.left - 6, y: Y.at(v) + 4, "text-anchor": "end", class: "tick" }, plot, number(v));
  }
  X.ticks.forEach((v) => {
    const px = X.at(v), text = names.length ? cut(names[v], slanted ? 16 : 40) : number(v);
    svg("path", { d: `M${px.toFixed(1)} ${box.bottom}v4`, class: "axis" }, plot);
    const tick = svg("text", { x: px, y: box.bottom + 16, "text-anchor": slanted ? "end" : "middle", class: "tick" }, plot, text);
    if (slanted) tick.setAttribute("transform", `rotate(-28 ${px} ${box.bottom + 12})`);
  });
  svg("path", { d: `M${box.left} ${box.bottom}H${box.right}`, class: "axis" }, plot);
  svg("text", { x: (box.left + box.right) / 2, y: height - 4, "text-anchor": "middle", class: "name" }, plot, chart.x.title ?? "");
  const middle = (box.top + box.bottom) / 2;
  svg("text", { x: 12, y: middle, "text-anchor": "middle", class: "name", transform: `rotate(-90 12 ${middle})` }, plot, chart.y.title);
  const spots = [];
  for (const one of shown) drawSeries(plot, chart, one, X, Y, spots);
  drawLabels(plot, labelled, X, Y, box.right, box.top + 6, box.bottom, most);
  if (chart.heat) drawHeatScale(plot, chart.heat, width - 48, box);
  host.replaceChildren(plot);
  host.drawn = { ...chart, series: shown };
  answerPointer(host, plot, spots, width);
}

function drawHeatScale(plot, [low, high], x, { top, bottom }) {
  const step = (bottom - top) / 20;
  for (let k = 0; k < 20; k += 1) {
    svg("rect", { x, width: 8, y: top + k * step, height: step + 0.5, fill: heatColor(high - (k + 0.5) / 20 * (high - low), [low, high]) }, plot);
  }
  svg("text", { x: x + 12, y: top + 8, class: "tick" }, plot, `${high.toFixed(1)}`);
  svg("text", { x: x + 12, y: bottom, class: "tick" }, plot, `${low.toFixed(1)}`);
}

function answerPointer(host, plot, spots, width) {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  host.append(tip);
  plot.addEventListener("pointermove", (event) => {
    const place = plot.getBoundingClientRect(), factor = width / place.width;
    const [x, y] = [(event.clientX - place.left) * factor, (event.clientY - place.top) * factor];
    const far = (spot) => Math.hypot(spot.px - x, spot.py - y);
    const nearest = spots.reduce((best, spot) => (best && far(best) <= far(spot) ? best : spot), null);
    tip.hidden = !nearest || far(nearest) > NEAR;
    if (tip.hidden) return;
    tip.textContent = nearest.text;
    tip.style.left = `${Math.min(nearest.px / factor + 8, place.width - tip.offsetWidth - 4)}px`;
    tip.style.top = `${Math.max(0, nearest.py / factor - tip.offsetHeight - 8)}px`;
  });
  plot.addEventListener("pointerleave", () => { tip.hidden = true; });
}
