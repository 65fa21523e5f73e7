// The index of a sweep: its table of runs sorted by any column, and a chart of a number against a parameter.
(function () {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);

  // --- sorting: by the headers' buttons, and by a list where a phone shows no headers
  const heads = [...byId("runs").tHead.rows[0].cells], body = byId("runs").tBodies[0];
  const original = [...body.rows], order = byId("order"), descending = byId("descending");

  function compare(a, b) {
    const x = Number(a), y = Number(b);
    return a !== "" && b !== "" && !isNaN(x) && !isNaN(y) ? x - y : a.localeCompare(b);
  }

  function sort(column, down) { // column 0: as the sweep ran; cells without a value come last
    const value = (row) => row.cells[column].dataset.value;
    const rows = [...original];
    const none = (row) => ["", "NaN"].includes(value(row));
    if (column > 0) rows.sort((r, s) => none(r) - none(s) || (down ? -1 : 1) * compare(value(r), value(s)));
    body.append(...rows);
    heads.forEach((head, i) => head.hasAttribute("aria-sort") &&
      head.setAttribute("aria-sort", i !== column ? "none" : down ? "descending" : "ascending"));
    order.value = column;
    descending.checked = down;
  }

  heads.forEach((head, i) => {
    order.add(new Option(i ? head.textContent : "the sweep's order", i));
    if (i) head.querySelector("button").addEventListener("click",
      () => sort(i, head.getAttribute("aria-sort") === "ascending"));
  });
  const again = () => sort(Number(order.value), descending.checked);
  order.addEventListener("change", again);
  descending.addEventListener("change", again);
  byId("sorting").hidden = false;

  // --- the chart
  const runs = data.runs, number = byId("number"), parameter = byId("parameter"), plot = byId("plot");
  const valuesOf = (name) => runs.map((run) => run.values[name]);
  const distinct = (name) => new Set(valuesOf(name).filter((v) => v != null)).size;
  const mostVaried = (columns) => columns.reduce((best, c) => distinct(c.name) > distinct(best.name) ? c : best);
  if (!data.number.length || !data.parameter.length) return;
  for (const [list, columns] of [[number, data.number], [parameter, data.parameter]]) {
    columns.forEach((c) => list.add(new Option(c.title, c.name)));
    list.addEventListener("change", draw);
  }
  number.value = (data.number.find((c) => distinct(c.name) > 1) || data.number[0]).name;
  parameter.value = mostVaried(data.parameter).name;

  const short = (v) => typeof v === "number" ? String(Number(v.toPrecision(4))) : String(v);

  function scale(values, from, to) { // numbers: linear, or logarithmic over two decades; others: one place each
    const places = [...new Set(values)];
    if (!places.every((v) => typeof v === "number")) {
      return { at: (v) => from + (to - from) * (places.indexOf(v) + 0.5) / places.length, ticks: places, told: "" };
    }
    const low = Math.min(...places), high = Math.max(...places), log = low > 0 && high / low >= 100;
    const f = log ? Math.log : (v) => v, pad = (f(high) - f(low)) * 0.05 || Math.abs(f(low)) * 0.05 || 1;
    const at = (v) => from + (to - from) * (f(v) - f(low) + pad) / (f(high) - f(low) + 2 * pad);
    return { at, low, high, log, ticks: places.sort((a, b) => a - b), told: log ? " (log)" : "" };
  }

  function even(low, high, log) { // ticks for a scale of many values: 1, 2 or 5 times a power of ten
    const found = [], step = 10 ** Math.floor(Math.log10((high - low) / 3 || Math.abs(low) || 1));
    if (log) for (let v = 10 ** Math.ceil(Math.log10(low)); v <= high; v *= 10) found.push(v);
    if (found.length > 1) return found;
    const by = [1, 2, 5].map((k) => k * step).find((s) => (high - low) / s <= 6) || step * 10;
    for (let k = Math.ceil(low / by); k * by <= high; k++) found.push(k * by);
    return found.length > 1 && found.length < 12 ? found : [low, high];
  }

  function apart(ticks, at, room) { // only ticks that do not run into each other
    let last = -Infinity;
    return ticks.filter((v) => Math.abs(at(v) - last) >= room && ((last = at(v)), true));
  }

  function element(name, attributes, text) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const key in attributes) made.setAttribute(key, attributes[key]);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function draw() {
    const n = number.value, p = parameter.value, title = (list) => list.options[list.selectedIndex].text;
    const points = runs.map((run, i) => ({ run, i, x: run.values[p], y: run.values[n] }))
      .filter((q) => q.x != null && q.y != null).map((q) => ({ ...q, y: Number(q.y) }));
    const width = Math.max(300, plot.clientWidth), height = 300, right = width - 12, top = 12, bottom = 248;
    const told = `${title(number)} against ${title(parameter)} in ${points.length} runs`;
    const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": told });
    plot.replaceChildren(svg);
    if (!points.length) return;
    const y = scale(points.map((q) => q.y), bottom, top);
    const yTicks = apart(y.ticks.length > 1 ? even(y.low, y.high, y.log) : y.ticks, y.at, 18);
    const left = 32 + 7 * Math.max(...yTicks.map((v) => short(v).length)); // room for the longest label
    const x = scale(points.map((q) => q.x), left, right);
    const xTicks = x.ticks.length > 8 && x.low !== undefined ? even(x.low, x.high, x.log) : x.ticks;
    for (const v of apart(xTicks, x.at, 44)) {
      svg.append(element("line", { class: "axis", x1: x.at(v), x2: x.at(v), y1: bottom, y2: bottom + 5 }),
        element("text", { x: x.at(v), y: bottom + 19, "text-anchor": "middle" }, short(v)));
    }
    for (const v of yTicks) {
      svg.append(element("line", { class: "grid", x1: left, x2: right, y1: y.at(v), y2: y.at(v) }),
        element("text", { x: left - 6, y: y.at(v) + 4, "text-anchor": "end" }, short(v)));
    }
    svg.append(element("line", { class: "axis", x1: left, x2: right, y1: bottom, y2: bottom }),
      element("text", { x: (left + right) / 2, y: height - 8, "text-anchor": "middle" }, title(parameter) + x.told),
      element("text", { x: 12, y: (top + bottom) / 2, "text-anchor": "middle",
        transform: `rotate(-90 12 ${(top + bottom) / 2})` }, title(number) + y.told));
    const means = x.ticks.map((v) => [v, points.filter((q) => q.x === v && q.run.asked)])
      .filter(([, here]) => here.length)
      .map(([v, here]) => [x.at(v), y.at(here.reduce((sum, q) => sum + q.y, 0) / here.length)]);
    svg.append(element("polyline", { class: "mean", points: means.map((at) => at.join()).join(" ") }));
    for (const q of points) {
      const kind = q.run.default ? "default" : q.run.flips ? "flips" : "";
      const dot = element("circle", { class: kind, cx: x.at(q.x), cy: y.at(q.y), r: 5 });
      const swept = data.parameter.map((c) => `${c.title} ${short(q.run.values[c.name])}`).join(", ");
      dot.append(element("title", {}, `${swept}: ${short(q.y)}${kind ? ` (${kind})` : ""}`));
      svg.append(dot);
    }
  }

  byId("chart").hidden = false;
  draw();
  window.addEventListener("resize", draw);
})();
