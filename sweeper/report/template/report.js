// The page: its charts with their legends, the choices of the learning curves, and tables that sort.
const hidden = new Set(); // names that a reader has taken out of all charts
const drawn = new Map(); // the element of each chart → the chart
const legends = new Map(); // the element of each legend → its charts

const redraw = (host) => drawChart(host, drawn.get(host), hidden);

function show(host, chart) {
  drawn.set(host, chart);
  redraw(host);
}

// A button for each name; a click takes it out of every chart, or back.
function makeLegend(place, charts) {
  legends.set(place, charts);
  const looks = new Map();
  for (const one of charts.flatMap((chart) => chart.series)) {
    if (one.look && one.x.length && !looks.has(one.toggle ?? one.name)) looks.set(one.toggle ?? one.name, one);
  }
  place.replaceChildren(...[...looks].map(([name, one]) => {
    const button = document.createElement("button"), swatch = svg("svg", { viewBox: "0 0 26 12", width: 26, height: 12, "aria-hidden": "true" });
    button.type = "button";
    button.setAttribute("aria-pressed", String(!hidden.has(name)));
    swatch.style.color = hue(one);
    if (!one.points) svg("path", { d: "M0 6H26", class: "line", "stroke-width": 2.2, "stroke-dasharray": DATA.dashes[one.look[1]] }, swatch);
    if (!one.plain && !one.step) drawMark(swatch, { look: one.look, points: true }, 13, 6, {}, 0);
    button.append(swatch, cut(name, 60));
    button.addEventListener("click", () => {
      if (!hidden.delete(name)) hidden.add(name);
      drawn.forEach((_, host) => redraw(host));
      legends.forEach((shown, other) => makeLegend(other, shown));
    });
    return button;
  }));
}

function addChart(place, chart) {
  const figure = document.createElement("figure"), caption = document.createElement("figcaption"), host = document.createElement("div");
  caption.textContent = chart.title;
  host.className = "chart";
  figure.append(caption, host);
  place.append(figure);
  return host;
}

for (const [name, charts] of Object.entries(DATA.charts)) {
  const place = document.getElementById(`${name}-charts`);
  if (!place || !charts.length) continue;
  for (const one of charts.flatMap((chart) => (chart.heat ? [] : chart.series))) if (!one.points) one.label = one.name;
  const hosts = charts.map((chart) => addChart(place, chart)); // all, before the first is drawn: the grid sets their width
  hosts.forEach((host, k) => show(host, charts[k]));
  makeLegend(document.getElementById(`${name}-legend`), charts);
}

// Learning curves: mean and standard deviation over the completed seeds, at epochs that all of them have.
function statistics(columns) {
  return columns[0].map((_, k) => {
    const values = columns.map((column) => column[k]);
    if (values.some((v) => v === null || v === undefined)) return null;
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const squares = values.reduce((a, b) => a + (b - mean) ** 2, 0);
    return { mean, spread: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0 };
  });
}

// What the page holds of a setting of many runs, in the form of `statistics`.
const given = (numbers, spreads) => numbers.map((mean, k) => (mean === null ? null : { mean, spread: spreads?.[k] ?? 0 }));

// Epochs and steps that settings share are written once, and so are equal metrics of a run.
for (const task of DATA.curves) for (const setting of task.settings) {
  Object.assign(setting, task.places[setting.place]);
  for (const { metrics } of [setting.mean, ...setting.runs].filter(Boolean)) {
    for (const [name, column] of Object.entries(metrics)) if (typeof column === "string") metrics[name] = metrics[column];
  }
}

// The series of a choice: { metric, against, each (seed), error (100 − accuracy), late (the last fifth), bySetting }.
function curveSeries(settings, { metric, against, each, error, late, bySetting }) {
  const value = (v) => (error && metric.endsWith("accuracy") && v !== null ? 100 - v : v);
  const xOf = (setting, run) => (against === "seconds" ? run.seconds : against === "step" ? run.steps ?? setting.steps : run.epochs ?? setting.epochs);
  const all = settings.flatMap((setting) => [setting.mean, ...setting.runs].filter((one) => one?.metrics[metric]).flatMap((one) => xOf(setting, one)));
  const end = all.reduce((a, b) => Math.max(a, b ?? a), 0), first = late ? 0.8 * end : 0;
  const found = [];
  settings.forEach((setting, place) => {
    const look = bySetting ? [place % DATA.hues, Math.floor(place / DATA.hues) % DATA.dashes.length, place % MARKS.length] : setting.look;
    const runs = setting.runs.filter((run) => run.metrics[metric]);
    const completed = runs.filter((run) => run.status === "completed");
    const common = { look, toggle: bySetting ? setting.label : setting.optimizer, plain: true };
    const whole = setting.mean?.metrics[metric], n = whole ? whole.n : completed.length;
    if (n) {
      const ys = whole ? given(whole.y.map(value), whole.spread) : statistics(completed.map((run) => run.metrics[metric].map(value)));
      const xs = whole ? given(xOf(setting, setting.mean)) : statistics(completed.map((run) => xOf(setting, run)));
      const at = ys.map((_, k) => k).filter((k) => ys[k] && xs[k] && xs[k].mean >= first);
      const within = (v) => (metric.endsWith("accuracy") ? Math.min(100, Math.max(0, v)) : v); // an axis beyond 100 % would puzzle
      const ends = (sign) => at.map((k) => within(ys[k].mean + sign * ys[k].spread));
      found.push({ ...common, kind: "mean", name: `${setting.label} (n = ${n})`, label: setting.label,
        x: at.map((k) => xs[k].mean), y: at.map((k) => ys[k].mean), ...(n > 1 && (!whole || whole.spread) && { low: ends(-1), high: ends(1) }) });
    }
    for (const run of runs) {
      if (!(each || run.status === "diverged" || !n)) continue;
      const x = xOf(setting, run), y = run.metrics[metric].map(value), at = x.map((_, k) => k).filter((k) => x[k] >= first);
      const ended = run.status === "completed" ? "" : `, ${run.status}`;
      found.push({ ...common, kind: "seed", name: `${setting.label}, seed ${run.seed}${ended}`, x: at.map((k) => x[k]), y: at.map((k) => y[k]),
        thin: true, ...(ended && { dash: "2 3" }), ends: run.status === "diverged" });
    }
  });
  return found;
}

const WORDS = {
  test_accuracy: "test accuracy, %", test_loss: "test loss", train_loss: "training loss",
  train_accuracy: "training accuracy, %", clean_train_accuracy: "training accuracy, right labels, %",
  corrupted_train_accuracy: "wrong labels learnt, %", val_accuracy: "validation accuracy, %",
  val_loss: "validation loss", lr: "learning rate", epoch: "epochs", step: "steps", seconds: "seconds of training",
};

const ERRORS = {
  test_accuracy: "test error, %", train_accuracy: "training error, %", val_accuracy: "validation error, %",
  clean_train_accuracy: "training error, right labels, %", corrupted_train_accuracy: "wrong labels not learnt, %",
};

const wordsOf = (metric, error) => (error && metric.endsWith("accuracy") ? ERRORS[metric] : WORDS[metric]);

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
  const choose = () => {
    const task = DATA.curves[Number(control("task").value)];
    const several = [...new Set(task.settings.map((s) => s.optimizer))]
      .map((name) => [name, task.settings.filter((s) => s.optimizer === name).length]).filter(([, n]) => n > 1);
    offer(control("settings"), [["", "one setting each"], ...several.map(([name, n]) => [name, `${name}: all ${n} settings`])]);
    control("settings").parentElement.hidden = !several.length;
    const metrics = Object.keys(WORDS).filter((m) => task.settings.some((s) => [s.mean, ...s.runs].some((one) => one?.metrics[m])));
    const [each, error, late] = ["each", "error", "late"].map((name) => control(name).checked);
    offer(control("metric"), metrics.map((m) => [m, wordsOf(m, error)]));
    offer(control("against"), ["epoch", "step", "seconds"].map((x) => [x, WORDS[x], x === "seconds" && task.no_seconds]));
    const compared = task.settings.some((s) => s.compared);
    const chosen = control("settings").value;
    const settings = task.settings.filter((s) => (chosen ? s.optimizer === chosen : s.compared || !compared));
    document.getElementById("curves-note").textContent =
      task.no_seconds ? `Not against seconds: ${task.no_seconds}.` : "";
    const [metric, against] = [control("metric").value, control("against").value];
    const words = wordsOf(metric, error);
    const title = [`${task.label}: ${words}`, chosen && `${chosen}, all settings`].filter(Boolean).join("; ");
    control("caption").textContent = [`${title}, by ${WORDS[against]}`, late && "the last fifth"].filter(Boolean).join("; ");
    const chart = { title, x: { title: WORDS[against], whole: against !== "seconds" }, y: { title: words, log: error },
      series: curveSeries(settings, { metric, against, each, error, late, bySetting: Boolean(chosen) }) };
    show(element, chart);
    makeLegend(document.getElementById("curves-legend"), [chart]);
  };
  offer(control("task"), DATA.curves.map((task, k) => [String(k), task.label]));
  control("task").parentElement.hidden = DATA.curves.length < 2;
  for (const name of ["task", "settings", "metric", "against", "each", "error", "late"]) control(name).addEventListener("change", choose);
  choose();
}
setUpCurves();

// The rows of large tables: each cell is the place of its form (its kind, the texts between its numbers) and its numbers.
function writeTable(id, { rows, columns, minor }) {
  const told = columns.map((column) => ({ ...column, cells: column.cells.split("|") })), small = new Set(minor);
  const body = document.getElementById(id).tBodies[0];
  for (let k = 0; k < rows; k += 1) {
    const row = body.insertRow();
    if (small.has(k)) row.className = "minor";
    for (const { cells, first, sort } of told) {
      const [place, ...numbers] = (cells.length > 1 ? cells[k] : cells[0]).split(" "), [kind, ...texts] = DATA.tables.forms[place];
      const cell = row.insertCell(), text = texts.reduce((before, after, n) => before + numbers[n - 1] + after);
      if (kind) cell.className = kind;
      const host = kind === "command" ? cell.appendChild(document.createElement("code")) : cell;
      if (kind === "command") host.tabIndex = 0;
      host.textContent = text;
      const key = first ? text.replace("\u2212", "-").match(/-?[0-9][0-9,]*(\.[0-9]+)?/)?.[0].replaceAll(",", "") ?? "" : sort?.[k];
      if (key !== undefined && key !== null) cell.dataset.sort = key;
    }
  }
}
for (const [id, table] of Object.entries(DATA.tables.of)) writeTable(id, table);

const codes = document.querySelectorAll("#runs-table td.command code"); // of many runs the table leaves them to us
let command = [];
DATA.commands.of.forEach((changes, k) => {
  command = changes[0] === -1 ? changes.slice(1) : command.slice();
  if (changes[0] !== -1) for (let n = 0; n < changes.length; n += 2) command[changes[n]] = changes[n + 1];
  codes[k].textContent = command.map((place) => DATA.commands.words[place]).join(" ");
});

for (const head of document.querySelectorAll("thead th")) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...head.childNodes);
  head.append(button);
}

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

const widths = new Map();
const observer = new ResizeObserver((entries) => entries.forEach(({ target }) => {
  if (widths.get(target) !== target.clientWidth) redraw(target);
  widths.set(target, target.clientWidth);
}));
drawn.forEach((_, host) => { widths.set(host, host.clientWidth); observer.observe(host); });

// A table that is wider than its place says so: not every screen shows a scrollbar.
const tell = (scroll) => { scroll.previousElementSibling.hidden = scroll.scrollWidth <= scroll.clientWidth + 1; };
const places = new ResizeObserver((entries) => entries.forEach(({ target }) => tell(target.closest(".scroll"))));
for (const scroll of document.querySelectorAll(".scroll")) {
  places.observe(scroll);
  places.observe(scroll.firstElementChild);
}
document.documentElement.dataset.ready = "true";
