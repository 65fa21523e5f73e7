// First step and margins of two correlated coordinates, recomputed for the slider's overlap ε. No request is made.
(function (box, data) {
  "use strict";
  function lambert(z) { // principal branch for z > 0, by Newton's method on ln w + w = ln z
    if (!(z > 0)) { return 0; }
    var level = Math.log(z), w = level > 1 ? level - Math.log(level) : Math.min(z, 0.6);
    for (var i = 0; i < 80; i++) {
      var move = (Math.log(w) + w - level) * w / (1 + w);
      w = Math.max(w - move, w / 10);
      if (Math.abs(move) < 1e-16 * w) { break; }
    }
    return w;
  }
  box.compute = function (e) {
    var p = data, nTrain = p.n_retain + p.n_forget, s = 1 + e * e, t = 2 * e / s;
    var delta = Math.pow((1 - e) * (1 + e), 2) / s;
    var b = p.r / (p.lam * nTrain), c = p.r / (p.lam * p.n_retain), a = p.relative;
    var alpha = a * p.n_forget / p.n_retain;
    function xOf(y) { return t * y + lambert(b * delta * Math.exp(-t * y)); }
    var low = 0, high = 1;
    function change(y) { return y - t * xOf(y) - b * alpha * delta * Math.exp(-y); }
    while (change(high) < 0) { high *= 2; }
    for (var i = 0; i < 100; i++) {
      var middle = (low + high) / 2;
      if (change(middle) < 0) { low = middle; } else { high = middle; }
    }
    var y = (low + high) / 2, x = xOf(y), xR = lambert(c * s), yR = t * xR;
    function velocity(x, y) { // of the margins, along the flow of L_DA, over λ
      var up = c * Math.exp(-x), down = -c * a * Math.exp(-y);
      return [s * up + 2 * e * down - x, 2 * e * up + s * down - y];
    }
    function weights(m) { return [(m[0] - e * m[1]) / (1 - e * e), (m[1] - e * m[0]) / (1 - e * e)]; }
    var step = weights(velocity(x, y)), way = weights([xR - x, yR - y]);
    var cosine = (step[0] * way[0] + step[1] * way[1]) / (Math.hypot(step[0], step[1]) * Math.hypot(way[0], way[1]));
    var now = [x, y], most = [-Infinity, -Infinity], least = [x, y];
    for (i = 0; i < 500; i++) {
      var v = velocity(now[0], now[1]);
      var size = 0.1 / (1 + s * c * (Math.exp(-now[0]) + a * Math.exp(-now[1])));
      now = [now[0] + size * v[0], now[1] + size * v[1]];
      if (now[1] < -30 || now[0] < -30) { now = [-Infinity, -Infinity]; }
      for (var k = 0; k < 2; k++) { most[k] = Math.max(most[k], now[k]); least[k] = Math.min(least[k], now[k]); }
      if (now[1] === -Infinity) { break; }
    }
    return {x: x, y: y, xR: xR, yR: yR, step: step, way: way, cosine: cosine, end: now, most: most, least: least,
      harm: velocity(x, y)[0] <= 0 && y <= yR};
  };
  var bar = box.querySelector("input"), out = box.querySelector("output");
  function part(role) { return box.querySelector("[data-role='" + role + "']"); }
  function place(difference) { return Math.max(205, Math.min(440, 400 + 150 * difference)); }
  function turn(role, v) { // SVG's y axis points down
    part(role).setAttribute("transform", "rotate(" + (-Math.atan2(v[1], v[0]) * 180 / Math.PI) + " 95 105)");
  }
  function draw() {
    var now = box.compute(Number(bar.value));
    turn("way", now.way); turn("step", now.step);
    [["x", now.xR, 0], ["y", now.yR, 1]].forEach(function (lane) {
      var from = lane[1], k = lane[2], start = now[lane[0]];
      part("start-" + lane[0]).setAttribute("transform", "translate(" + place(start - from) + " 0)");
      part("trail-" + lane[0]).setAttribute("x1", place(now.least[k] - from));
      part("trail-" + lane[0]).setAttribute("x2", place(Math.max(now.most[k], start) - from));
      part("end-" + lane[0]).setAttribute("transform", "translate(" + place(now.end[k] - from) + " 0)");
    });
    var words = now.harm ? "No stopping time brings a margin nearer" : "Some margin comes nearer at first";
    part("verdict").textContent = words;
    part("cosine").textContent = "cos = " + now.cosine.toFixed(2);
    out.textContent = "ε = " + Number(bar.value).toFixed(2);
    bar.setAttribute("aria-valuetext", out.textContent + ", " + words);
  }
  bar.addEventListener("input", draw);
})
