"""Plots, tables and the live picture of the chapter `toy_minima`: data in; figure, table or HTML out."""

import hashlib
import html
import json

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure

from unlearning.page import figures
from unlearning.theory import toy_minima

A, B = (0.0, 4.0), (-2.2, 0.4)  # the drawn part of the plane of weights
RINGS = np.array([0.05, 0.2, 0.5, 1, 2, 4])  # contour lines this far above each minimum (units of the loss)
HEIGHTS = np.array([0, 1, 10, 50])  # ticks of the colour bar (units of the loss)
NAMES = {"D": "training on D", "R": "retraining on R", "DA": "descent-ascent"}
HUES = {"D": figures.COLORS["pretrained"], "R": figures.COLORS["oracle"], "DA": figures.COLORS["ascent"]}
WHITE = "#ffffff"  # on a filled map outlines must not follow the page's theme


def marks(labels) -> str:
    """Predicted labels as a row of signs."""
    return "".join("+" if s > 0 else "−" for s in labels)


def points() -> pd.DataFrame:
    """The four points with their labels and copies."""
    return pd.DataFrame({
        "point": ["1", "2", "3", "4"], "x": [f"{v:.0f}" for v in toy_minima.INPUTS],
        "x²": [f"{v:.0f}" for v in toy_minima.FEATURES[:, 1]], "label y": [f"{v:+.0f}" for v in toy_minima.LABELS],
        "copies α": [f"{v:.0f}" for v in toy_minima.COPIES],
    })  # fmt: skip


def minima_table(found: dict[str, list]) -> pd.DataFrame:
    """One row for each minimum."""
    return pd.DataFrame([
        {"objective": name, "minimum": "global" if m is ms[0] else "local", "a": f"{m.theta[0]:.3f}",
         "b": f"{m.theta[1]:.3f}", "value": f"{m.value:.3f}", "signs at x₁…x₄": marks(m.signs)}
        for name, ms in found.items() for m in ms
    ])  # fmt: skip


def proof_table(certificates: dict[str, toy_minima.Certificate]) -> pd.DataFrame:
    """What the branch and bound proved, one row for each objective."""
    return pd.DataFrame([
        {"objective": name, "searched": f"|a| ≤ {c.reach[0]:.0f}, |b| ≤ {c.reach[1]:.0f}", "boxes": f"{c.boxes:,}",
         "minima": sum(p.kind == "minimum" for p in c.points), "saddles": sum(p.kind == "saddle" for p in c.points),
         "undecided": c.undecided}
        for name, c in certificates.items()
    ])  # fmt: skip


def landscape(objective, found, title, hue, grid, width=2.6, height=2.6, bar=True):
    """One panel: the objective over the plane with its minima; returns figure and axes."""
    fig, ax = figures.panel(width, height)
    plane = np.stack(np.meshgrid(np.linspace(*A, grid), np.linspace(*B, grid)), axis=-1)
    values = toy_minima.loss(plane, objective)
    shade = np.log10(1 + values - values.min())
    image = ax.imshow(shade, extent=(*A, *B), origin="lower", aspect="auto", vmin=0, vmax=1.8, interpolation="bilinear")
    levels = np.unique(np.concatenate([m.value + RINGS for m in found]))
    ax.contour(plane[..., 0], plane[..., 1], values, levels, colors=WHITE, linewidths=0.5, alpha=0.7)
    if bar:
        scale = fig.colorbar(image, ax=ax, orientation="horizontal", ticks=np.log10(1 + HEIGHTS), label="height")
        scale.ax.set_xticklabels(HEIGHTS)
    for m in found:
        best = m is found[0]
        ax.plot(*m.theta, "*" if best else "o", ms=17 if best else 9, mfc=hue, mec=WHITE, mew=1.3)
    ax.set(xlabel="weight a", ylabel="weight b", title=title, xlim=A, ylim=B, xticks=range(5), yticks=(-2, -1, 0))
    ax.grid(False)
    return fig, ax


def landscapes(objectives: dict, minima: dict, grid: int) -> list[Figure]:
    """The landscapes of training, retraining and descent-ascent."""
    return [landscape(o, minima[n], NAMES[n], HUES[n], grid)[0] for n, o in objectives.items()]


def boundary(names: tuple[str, ...], minima: dict, copies, title: str) -> Figure:
    """The points with `copies` and the decision boundaries of the global minima named."""
    fig, ax = figures.panel(3.4, 2.3)
    u = np.linspace(-2, 5, 200)
    for name in names:
        a, b = minima[name][0].theta
        ax.plot(u, -(1 + a * u) / b, "--" if name == "D" else "-", color=HUES[name], label=NAMES[name], zorder=1)
    ax.fill_between(u, -(1 + a * u) / b, -3 if b < 0 else 20, color=HUES[name], alpha=0.13, lw=0)
    ax.scatter(*toy_minima.FEATURES.T, s=70 + 60 * np.maximum(copies, 0), color=figures.COLORS["neutral"], zorder=3)
    for i, ((p, q), y) in enumerate(zip(toy_minima.FEATURES, toy_minima.LABELS, strict=True)):
        ax.annotate("+" if y > 0 else "−", (p, q), ha="center", va="center_baseline", weight="bold", zorder=4)
        ax.annotate(f"{i + 1}", (p, q), xytext=(12, 8), textcoords="offset points", fontsize=9)
    ax.set(xlabel="x", ylabel="x²", xlim=(-2, 5), ylim=(-3, 20), title=title)
    ax.legend(loc="upper left")
    return fig


def path(objective, found, unlearn: np.ndarray, repair: np.ndarray, grid: int) -> tuple[Figure, Figure]:
    """Left: both phases on R's landscape. Right: the loss on R along them."""
    left, ax = landscape(objective, found, NAMES["R"], HUES["R"], grid, 3.0, 3.0, bar=False)
    ax.plot(*unlearn.T, "-", color=HUES["DA"], lw=2.2)
    ax.plot(*repair.T, "-", color=figures.COLORS["forget"], lw=2.2)
    ax.plot(*unlearn[0], "D", mfc=HUES["D"], mec=WHITE, ms=7)
    ax.plot(*unlearn[-1], "X", mfc=HUES["DA"], mec=WHITE, ms=10)
    ax.set(xlim=(1.8, 3.0), ylim=(-1.5, -0.2), xticks=(2, 2.5, 3), yticks=(-1.5, -1, -0.5))
    right, ax = figures.panel(3.8, 2.8)
    count = 1 + np.arange(len(unlearn))
    ax.plot(count, toy_minima.loss(unlearn, objective), color=HUES["DA"], label="descent-ascent")
    ax.plot(count, toy_minima.loss(repair, objective), color=figures.COLORS["forget"], ls="--", lw=2.6, label="then fine-tuning on R")
    ax.axhline(found[0].value, color=HUES["R"], ls=":", label="oracle")
    ax.set(xlabel="1 + steps of the phase", ylabel="loss on R", xscale="log", ylim=(0, None))
    ax.legend(loc="lower center")
    return left, right


def valleys(table: pd.DataFrame, fold: tuple[float, float] | None) -> Figure:
    """Heights of the minima against α₄: table has weight, value, right (x₄ read right); fold = (weight, value)."""
    fig, ax = figures.panel(3.8, 2.4)
    for right, color, label in ((True, "oracle", "x₄ right"), (False, "ascent", "x₄ wrong")):
        part = table[table.right == right]
        ax.plot(part.weight, part.value, color=figures.COLORS[color], label=label)
    if fold:
        ax.plot(*fold, "o", mfc=figures.COLORS["oracle"], mec=figures.INK, ms=8)
    for weight, name in ((4, "D"), (2, "R"), (0, "DA")):
        ax.axvline(weight, color=figures.COLORS["neutral"], lw=0.8, ls=":")
        ax.annotate(name, (weight, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom", fontsize=9)
    ax.set(xlabel="weight α₄ of point 4", ylabel="height of the minimum")
    ax.legend(loc="upper left")
    return fig


_SCRIPT = """(function(){
var root=document.getElementById('KEY'),o=JSON.parse(root.dataset.objective),bar=root.querySelector('input'),
out=root.querySelector('output'),text=root.querySelector('p'),canvas=root.querySelector('canvas'),pen=canvas.getContext('2d');
var A=o.a,B=o.b,W=canvas.width,H=canvas.height,N=o.x.length;
function parts(a,b,w){ // loss, gradient and Hessian at (a, b)
 var f=o.ridge*(a*a+b*b),ga=2*o.ridge*a,gb=2*o.ridge*b,aa=2*o.ridge,ab=0,bb=2*o.ridge;
 for(var i=0;i<N;i++){var x=o.x[i],q=x*x,c=i==3?w:o.copies[i],h=Math.tanh((1+a*x+b*q)/2),s=(1-h*h)/2,e=h-o.y[i];
  f+=c*e*e;ga+=2*c*e*s*x;gb+=2*c*e*s*q;var k=2*c*(s*s-e*h*s);aa+=k*x*x;ab+=k*x*q;bb+=k*q*q}
 return{f:f,ga:ga,gb:gb,aa:aa,ab:ab,bb:bb}}
function minima(w){ // Newton's method from a grid of starts; what converges to a positive definite point
 var found=[];
 for(var i=0;i<=16;i++)for(var j=0;j<=16;j++){var a=i*4/16,b=-2.4+j*3/16,p;
  for(var k=0;k<60;k++){p=parts(a,b,w);var det=p.aa*p.bb-p.ab*p.ab,da,db;
   if(det>0&&p.aa>0){da=(p.bb*p.ga-p.ab*p.gb)/det;db=(p.aa*p.gb-p.ab*p.ga)/det}else{da=p.ga/(Math.abs(p.aa)+Math.abs(p.bb)+1);db=p.gb/(Math.abs(p.aa)+Math.abs(p.bb)+1)}
   var t=1;while(t>1e-6&&parts(a-t*da,b-t*db,w).f>p.f+1e-13)t/=2;a-=t*da;b-=t*db;if(Math.abs(da)+Math.abs(db)<1e-12)break}
  p=parts(a,b,w);
  if(Math.abs(p.ga)+Math.abs(p.gb)<1e-7&&p.aa>0&&p.aa*p.bb-p.ab*p.ab>1e-9&&!found.some(function(m){return Math.abs(m.a-a)+Math.abs(m.b-b)<1e-3}))
   found.push({a:a,b:b,value:p.f,right:1+4*a+16*b>0})}
 return found.sort(function(m,n){return m.value-n.value})}
function draw(){var w=+bar.value,image=pen.createImageData(W,H),v=[],low=Infinity,ms=minima(w);
 for(var j=0;j<H;j++)for(var i=0;i<W;i++){var f=parts(A[0]+(A[1]-A[0])*(i+.5)/W,B[1]-(B[1]-B[0])*(j+.5)/H,w).f;v.push(f);low=Math.min(low,f)}
 for(var k=0;k<v.length;k++){var s=Math.max(0,Math.min(Math.log10(1+(v[k]-low))/1.8,.9999))*(o.colours.length-1),l=Math.floor(s),u=s-l;
  for(var c=0;c<3;c++)image.data[4*k+c]=o.colours[l][c]*(1-u)+o.colours[l+1][c]*u;image.data[4*k+3]=255}
 pen.putImageData(image,0,0);
 ms.forEach(function(m,r){var x=(m.a-A[0])/(A[1]-A[0])*W,y=(B[1]-m.b)/(B[1]-B[0])*H;pen.beginPath();pen.arc(x,y,r?4:6,0,7);
  pen.fillStyle=m.right?o.good:o.bad;pen.fill();pen.lineWidth=1.5;pen.strokeStyle='#ffffff';pen.stroke()});
 out.textContent='α₄ = '+w.toFixed(2);bar.setAttribute('aria-valuetext',out.textContent);
 text.textContent=ms.map(function(m,r){return (r?'local':'global')+' minimum at ('+m.a.toFixed(2)+', '+m.b.toFixed(2)+'), height '+m.value.toFixed(2)+', x₄ '+(m.right?'right':'wrong')}).join('; ');
 root.dataset.minima=JSON.stringify(ms)}
root.querySelector('.static').style.display='none';root.querySelector('.live').style.display='block';
bar.addEventListener('input',draw);draw()})()"""


def live(ridge: float, start: float, still: Figure, alt: str) -> str:
    """HTML of a landscape that recomputes in the page while α₄ moves; `still` stands there where scripts do not run."""
    colours = (255 * colormaps[figures.SEQUENTIAL](np.linspace(0, 1, 9))[:, :3]).round().astype(int).tolist()
    facts = {"x": toy_minima.INPUTS.tolist(), "y": toy_minima.LABELS.tolist(), "copies": list(toy_minima.COPIES), "ridge": ridge,
             "a": A, "b": B, "colours": colours, "good": figures.COLORS["oracle"], "bad": figures.COLORS["ascent"]}  # fmt: skip
    data = html.escape(json.dumps(facts), quote=True)
    key = "t" + hashlib.sha256(data.encode()).hexdigest()[:8]
    return (
        f'<div class="panels live-picture" id="{key}" data-objective="{data}" style="max-width:26rem;margin:auto">'
        f'<div class="static" role="img" aria-label="{html.escape(alt)}">{figures.svg(still)}</div>'
        f'<div class="live" style="display:none"><canvas width="160" height="104" role="img" aria-label="{html.escape(alt)}" '
        'style="width:100%;image-rendering:auto;border:1px solid currentColor"></canvas>'
        f"<div style='display:flex;justify-content:space-between'><small>weight a from {A[0]:g} to {A[1]:g} →</small>"
        f"<small>weight b from {B[0]:g} to {B[1]:g} ↑</small></div>"
        '<label style="display:flex;gap:.75rem;align-items:center;flex-wrap:wrap"><span>weight of point 4</span>'
        f'<input type="range" min="0" max="4" step="0.01" value="{start}" style="flex:1 1 10rem" aria-label="weight of point 4">'
        f'<output style="min-width:6em"></output></label><p aria-live="polite"></p></div>'
        f"<script>{_SCRIPT.replace('KEY', key)}</script></div>"
    )


def rates(fold: float, at_two: dict[int, int]) -> pd.DataFrame:
    """From which ascent rate ρ on descent-ascent is trapped, by copies forgotten k of four.

    fold: the weight α₄ below which the good valley is gone; at_two: k -> minima of descent-ascent at ρ = 2.
    """
    return pd.DataFrame(
        {
            "copies forgotten k": str(k),
            "α₄ of the oracle": f"{4 - k}",
            "trapped for ρ above": f"{max(0, (4 - k - fold) / k):.2f}",
            "α₄ at ρ = 2": f"{4 - 3 * k}",
            "minima there": str(minima),
        }
        for k, minima in at_two.items()
    )
