// The three pulls and the three weights of one coordinate, recomputed for the slider's α. No request is made.
(function (box, data) {
  "use strict";
  function lambert(z) { // principal branch for z >= -1/e, by Halley's method
    var w = z > 3 ? Math.log(z) - Math.log(Math.log(z)) : z > -0.25 ? Math.log1p(z) * (1 - 0.3 * (z > 1))
      : -1 + Math.sqrt(Math.max(0, 2 * (Math.E * z + 1)));
    for (var i = 0; i < 60; i++) {
      var e = Math.exp(w), f = w * e - z, slope = e * (w + 1);
      if (Math.abs(slope) < 1e-14) { break; }
      var move = f / (slope - (w + 2) * f / (2 * w + 2));
      w -= move;
      if (Math.abs(move) < 1e-16 * (1 + Math.abs(w))) { break; }
    }
    return w;
  }
  box.compute = function (relative) { // α in units of |F|/|R|
    var p = data, nTrain = p.n_retain + p.n_forget, alpha = relative * p.n_forget / p.n_retain;
    var pulls = {
      D: (1 + alpha) * p.r / nTrain, R: p.r / p.n_retain, DA: (1 - relative) * p.r / p.n_retain
    };
    var w = {D: lambert(pulls.D / p.lam), R: lambert(pulls.R / p.lam)}, z = pulls.DA / p.lam;
    w.DA = z >= -1 / Math.E ? lambert(z) : -Infinity;
    var star = p.n_forget * p.n_forget / (p.n_retain * (p.n_forget + nTrain));
    return {alpha: alpha, pulls: pulls, weights: w, farther: alpha > star,
      regime: relative <= 1 ? "I" : z >= -1 / Math.E ? "II" : "III"};
  };
  var bar = box.querySelector("input"), out = box.querySelector("output");
  function part(role) { return box.querySelector("[data-role='" + role + "']"); }
  function at(scale, value) { // scale: [value at the left, value at the right], drawn from x = 80 to 420
    var x = 80 + 340 * (value - scale[0]) / (scale[1] - scale[0]);
    return Math.max(70, Math.min(430, x));
  }
  function draw() {
    var now = box.compute(Number(bar.value));
    ["D", "R", "DA"].forEach(function (name) {
      part("pull-" + name).setAttribute("x2", at(data.pull_scale, now.pulls[name]));
      var x = at(data.weight_scale, now.weights[name]);
      part("weight-" + name).setAttribute("transform", "translate(" + x + " 0)");
      if (name === "R") { part("guide").setAttribute("x1", x); part("guide").setAttribute("x2", x); }
    });
    var where = now.regime === "III" ? "no end at all" : now.farther ? "ends farther" : "ends nearer";
    part("verdict").textContent = "Regime " + now.regime + ": descent-ascent " + where;
    out.textContent = "α = " + now.alpha.toFixed(4);
    bar.setAttribute("aria-valuetext", out.textContent + ", " + where);
  }
  bar.addEventListener("input", draw);
})
