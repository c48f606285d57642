"use strict";
const DATA = JSON.parse(document.getElementById("data").textContent);
const LIGHT = ["#0072b2", "#d55e00", "#009e73", "#b8578d", "#a07800", "#3a9fd6", "#6f4fbf", "#555555", "#c2182b", "#4d7c0f"];
const DARK = ["#5aaef0", "#ff9350", "#3fd0a4", "#ec9fc8", "#e8c14a", "#9fd8fb", "#b9a1f5", "#bbbbbb", "#ff8a94", "#a6d75b"];
const DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"];
const MARKS = ["circle", "square", "diamond", "triangle-up", "cross", "x", "star", "hexagon", "triangle-down", "pentagon"];
const darkScheme = matchMedia("(prefers-color-scheme: dark)");
const onPaper = matchMedia("print");
const touched = matchMedia("(pointer: coarse)").matches;

// Plotly reads a few HTML tags in its texts, and names come from anywhere.
const plain = (text, longest = innerWidth < 500 ? 24 : 44) =>
  (text.length > longest ? text.slice(0, longest - 1) + "…" : text)
    .replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const isDark = () => darkScheme.matches && !onPaper.matches;
const color = (k) => (isDark() ? DARK : LIGHT)[k % LIGHT.length];
const faint = (hex) => hex + "2e";
const variable = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function layout(chart) {
  const axis = (given = {}) => ({
    title: { text: given.title ?? "", font: { size: 13 } }, type: given.type ?? "-", automargin: true,
    gridcolor: variable("--line"), zerolinecolor: variable("--line"), linecolor: variable("--line"),
    rangemode: given.from_zero ? "tozero" : "normal", exponentformat: "none", tickvals: given.ticks,
    ticktext: given.labels?.map((label) => plain(label, 22)), range: given.labels && [-0.5, given.labels.length - 0.5], fixedrange: touched, tickfont: { size: 12 },
  });
  return {
    font: { family: "system-ui, sans-serif", color: variable("--ink") },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    hoverlabel: { bgcolor: variable("--panel"), bordercolor: variable("--line"), font: { color: variable("--ink") } },
    margin: { l: 48, r: 12, t: 8, b: 44 }, hovermode: "closest", dragmode: touched ? false : "zoom",
    xaxis: axis(chart.x), yaxis: axis(chart.y), showlegend: chart.legend !== false,
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, font: { size: 12 } },
  };
}

const drawn = new Map(); // element → function that draws it anew

function draw(element, chart, traces) {
  const again = () => Plotly.react(element, traces(), layout(chart),
    { responsive: true, displaylogo: false, displayModeBar: false, doubleClick: "reset+autosize" });
  drawn.set(element, again);
  again();
}

// Points coloured by a value, on the chart's scale.
const heatMarker = (chart, one) => ({
  color: one.heat, cmin: chart.heat[0], cmax: chart.heat[1], colorscale: "Viridis", size: one.size, symbol: one.symbol,
  showscale: one === chart.series.find((other) => other.x.length), colorbar: { thickness: 10, outlinewidth: 0, ticksuffix: " %", tickfont: { size: 11 } },
});

function seriesTraces(chart) {
  return chart.series.filter((one) => one.x.length).map((one) => ({
    name: plain(one.name), x: one.x, y: one.y,
    text: one.text?.map((t) => plain(t)), type: "scatter",
    cliponaxis: false, mode: one.symbol ? "markers" : one.step ? "lines" : "lines+markers",
    line: { color: color(one.color), width: 2, shape: one.step ? "hv" : "linear", dash: DASHES[(one.step ? one.color : Math.floor(one.color / 10)) % 6] },
    marker: one.heat ? heatMarker(chart, one)
      : { color: color(one.color), size: one.size ?? (one.symbol ? 10 : 7), symbol: one.symbol ?? MARKS[one.color % 10], line: { width: 2, color: color(one.color) } },
    error_y: one.error ? { array: one.error, visible: true, thickness: 1.4, width: 4, color: color(one.color) } : undefined,
    hovertemplate: chart.heat ? "%{text}<br>%{x}, %{y}<extra></extra>" : `%{fullData.name}<br>${one.symbol ? "" : "%{x}: "}%{y:.2f}${one.text ? "<br>%{text}" : ""}<extra></extra>`,
  }));
}

// Its element, to be drawn once all stand in their grid, which gives them their width.
function addChart(place, chart) {
  const figure = document.createElement("figure");
  const caption = document.createElement("figcaption");
  caption.textContent = chart.title;
  const element = document.createElement("div");
  element.className = "chart";
  figure.append(caption, element);
  place.append(figure);
  return element;
}

for (const [name, charts] of Object.entries(DATA.charts)) {
  const place = document.getElementById(`${name}-charts`);
  const elements = place ? charts.map((chart) => addChart(place, chart)) : [];
  elements.forEach((element, k) => draw(element, charts[k], () => seriesTraces(charts[k])));
}

// Learning curves: mean and standard deviation over the completed seeds, at epochs that all of them have.
function statistics(columns) {
  return columns[0].map((_, k) => {
    const values = columns.map((column) => column[k]);
    if (values.some((v) => v === null || v === undefined)) return null;
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const squares = values.reduce((a, b) => a + (b - mean) ** 2, 0);
    return { mean, spread: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : null };
  });
}

function curveTraces(settings, metric, against, each) {
  const traces = [];
  settings.forEach((setting, place) => {
    const hue = color(DATA.by_setting ? place : setting.color);
    const dash = DASHES[Math.floor((DATA.by_setting ? place : setting.color) / 10) % 6];
    const runs = setting.runs.filter((run) => run.metrics[metric]);
    const completed = runs.filter((run) => run.status === "completed");
    const xOf = (run) => (against === "seconds" ? run.seconds : against === "step" ? setting.steps : setting.epochs);
    const legendgroup = plain(setting.label, 400);
    let shown = false;
    if (completed.length) {
      const found = statistics(completed.map((run) => run.metrics[metric]));
      const xs = statistics(completed.map(xOf));
      const at = found.map((_, k) => k).filter((k) => found[k] && xs[k]);
      const x = at.map((k) => xs[k].mean);
      if (completed.length > 1) {
        const high = at.map((k) => found[k].mean + found[k].spread), low = at.map((k) => found[k].mean - found[k].spread);
        traces.push({ x: [...x, ...x.slice().reverse()], y: [...high, ...low.reverse()], fill: "toself",
          fillcolor: faint(hue), line: { width: 0, color: hue }, mode: "lines", hoverinfo: "skip", showlegend: false, legendgroup });
      }
      traces.push({ x, y: at.map((k) => found[k].mean), name: `${plain(setting.label)} (n = ${completed.length})`,
        mode: at.length === 1 ? "markers" : "lines", line: { color: hue, width: 2.4, dash }, legendgroup, meta: "mean",
        hovertemplate: "%{fullData.name}<br>%{x}: %{y:.4~g}<extra></extra>" });
      shown = true;
    }
    for (const run of runs) {
      if (!(each || run.status === "diverged" || !completed.length)) continue;
      const last = run.metrics[metric].findLastIndex((v) => v !== null);
      const ended = run.status === "completed" ? "" : `, ${run.status}`;
      traces.push({ x: xOf(run), y: run.metrics[metric], name: `${plain(setting.label)}, seed ${run.seed}${ended}`,
        mode: "lines+markers", line: { color: hue, width: 1, dash: ended ? "dot" : "solid" }, legendgroup, meta: "seed",
        marker: { color: hue, symbol: "x", size: run.metrics[metric].map((_, k) => (run.status === "diverged" && k === last ? 9 : 0.1)) },
        showlegend: !shown, hovertemplate: "%{fullData.name}<br>%{x}: %{y:.4~g}<extra></extra>" });
      shown = true;
    }
  });
  return traces.map((trace) => ({ type: "scatter", ...trace }));
}

const WORDS = {
  test_accuracy: "test accuracy, %", test_loss: "test loss", train_loss: "training loss",
  train_accuracy: "training accuracy, %", clean_train_accuracy: "training accuracy, right labels, %",
  corrupted_train_accuracy: "wrong labels learnt, %", val_accuracy: "validation accuracy, %",
  val_loss: "validation loss", lr: "learning rate", epoch: "epochs", step: "steps", seconds: "seconds of training",
};

function setUpCurves() {
  const element = document.getElementById("curves-chart");
  if (!element) return;
  const control = (name) => document.getElementById(`curves-${name}`);
  const offer = (select, choices) => {
    const before = select.value;
    select.replaceChildren(...choices.map(([value, text, disabled]) => {
      const option = new Option(text.length > 70 ? text.slice(0, 69) + "…" : text, value);
      option.disabled = Boolean(disabled);
      return option;
    }));
    if (choices.some(([value, , disabled]) => value === before && !disabled)) select.value = before;
  };
  const show = () => {
    const task = DATA.curves[Number(control("task").value)];
    const several = [...new Set(task.settings.map((s) => s.optimizer))]
      .map((name) => [name, task.settings.filter((s) => s.optimizer === name).length]).filter(([, n]) => n > 1);
    offer(control("settings"), [["", "one setting each"], ...several.map(([name, n]) => [name, `${name}: all ${n} settings`])]);
    control("settings").parentElement.hidden = !several.length;
    const metrics = Object.keys(WORDS).filter((m) => task.settings.some((s) => s.runs.some((r) => r.metrics[m])));
    offer(control("metric"), metrics.map((m) => [m, WORDS[m]]));
    offer(control("against"), ["epoch", "step", "seconds"].map((x) => [x, WORDS[x], x === "seconds" && task.no_seconds]));
    const compared = task.settings.some((s) => s.compared);
    const chosen = control("settings").value;
    const settings = task.settings.filter((s) => (chosen ? s.optimizer === chosen : s.compared || !compared));
    DATA.by_setting = Boolean(chosen);
    document.getElementById("curves-note").textContent =
      task.no_seconds ? `Not against seconds: ${task.no_seconds}.` : "";
    const [metric, against, each] = [control("metric").value, control("against").value, control("each").checked];
    draw(element, { x: { title: WORDS[against] }, y: { title: WORDS[metric] } },
      () => curveTraces(settings, metric, against, each));
  };
  offer(control("task"), DATA.curves.map((task, k) => [String(k), task.label]));
  control("task").parentElement.hidden = DATA.curves.length < 2;
  for (const name of ["task", "settings", "metric", "against", "each"]) control(name).addEventListener("change", show);
  show();
}
setUpCurves();

for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th"), table = head.closest("table"), body = table.tBodies[0];
    const descending = head.ariaSort === "ascending";
    for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const key = (row) => row.cells[head.cellIndex].dataset.sort ?? row.cells[head.cellIndex].textContent.trim();
    const rows = [...body.rows].map((row) => [key(row), row]);
    rows.sort(([a], [b]) => {
      if (a === "" || b === "") return (a === "") - (b === ""); // nothing stands last, in either direction
      const order = isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b;
      return descending ? -order : order;
    });
    body.append(...rows.map(([, row]) => row));
  });
}

const redraw = () => drawn.forEach((again) => again());
darkScheme.addEventListener("change", redraw);
onPaper.addEventListener("change", redraw);
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => (one.open = true)));
document.documentElement.dataset.ready = "true";
