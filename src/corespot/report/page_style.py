"""How standalone pages look on a screen and on paper."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: #1f2933; font: 16px/1.55 Inter, "Helvetica Neue", Arial,
  "Liberation Sans", sans-serif; }
main { max-width: 1280px; margin: 0 auto; padding: 40px 32px 80px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -0.01em; }
h2 { font-size: 22px; margin: 56px 0 12px; padding-top: 14px; border-top: 1px solid #d5dae0; }
p { max-width: 78ch; margin: 0 0 14px; }
.subtitle { color: #66717d; margin-bottom: 20px; }
nav ol { margin: 0; padding-left: 22px; columns: 2; max-width: 760px; }
a { color: #0072b2; text-decoration: none; } a:hover { text-decoration: underline; }
figure { margin: 18px 0 26px; }
pre { background: #f5f7f9; border-radius: 6px; padding: 12px 16px; overflow-x: auto;
  font-size: 14px; }
.table { overflow-x: auto; margin: 14px 0 26px; }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; border-bottom: 2px solid #1f2933; }
th, td { padding: 6px 18px 6px 0; white-space: nowrap; }
td { border-bottom: 1px solid #e7eaee; }
td:not(.n) { white-space: normal; min-width: 60px; }
.n { text-align: right; }
.beside { display: grid; grid-template-columns: repeat(auto-fill, minmax(320px, 1fr));
  gap: 0 18px; }
.beside figure { min-width: 0; }
dl.facts { display: grid; grid-template-columns: max-content minmax(0, 1fr); margin: 14px 0 26px;
  max-width: 980px; font-size: 15px; }
.facts dt, .facts dd { padding: 7px 0; margin: 0; border-bottom: 1px solid #e7eaee; }
.facts dt { color: #66717d; padding-right: 28px; max-width: 230px; }
.facts dd { overflow-wrap: anywhere; }
@page { margin: 14mm 12mm; }
@media print {
  main { max-width: none; padding: 0; } nav, .modebar { display: none !important; }
  body { font-size: 13px; } h2 { margin-top: 32px; break-after: avoid; }
  table, dl.facts { font-size: 11px; } th, td { padding-right: 10px; }
  .facts dt, .facts dd { padding: 4px 0; }
  td { overflow-wrap: anywhere; }
  figure, tr, pre, .card { break-inside: avoid; }
}
"""

#: Figures are as wide as the screen; while a page is printed, as wide as what stands on paper.
#: Tall ones, such as maps, shrink as a whole.
PRINT_SCRIPT = """
(() => {
  const PAPER = 700, TALL = 1200;
  const each = (change) => document.querySelectorAll(".js-plotly-plot").forEach(change);
  addEventListener("beforeprint", () => each((figure) => {
    const { width, height } = figure._fullLayout;
    const share = figure.closest(".beside") ? PAPER / 2 - 18 : PAPER;
    figure.before = { width: null, autosize: true };
    const now = { width: share };
    if (height > TALL && width > share) {
      now.height = Math.round((height * share) / width);
      figure.before.height = height;
      figure.style.height = `${now.height}px`;
    }
    Plotly.relayout(figure, now);
  }));
  addEventListener("afterprint", () => each((figure) => {
    if (figure.before.height) figure.style.height = `${figure.before.height}px`;
    Plotly.relayout(figure, figure.before);
  }));
})();
"""
