"""The look of pages that stand alone: nothing is fetched, so it has to be in them."""

from typing import Final

STYLE: Final = """
:root{--ink:#1b2430;--muted:#5d6b7a;--line:#e2e7ec;--paper:#fff;--back:#f4f6f8;--good:#1f7a4d;--some:#a05a00;--bad:#b3261e}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);font:15px/1.5 system-ui,"Segoe UI","DejaVu Sans",sans-serif}
main{max-width:1180px;margin:0 auto;padding:28px 28px 64px}
h1{font-size:22px;margin:0 0 4px}
h2{font-size:18px;margin:34px 0 10px}
h3{font-size:16px;margin:0}
p{margin:6px 0}
.muted{color:var(--muted)}
.card{background:var(--paper);border:1px solid var(--line);border-radius:10px;padding:16px 20px;margin:12px 0}
.verdict{border-left:8px solid var(--tone);padding:18px 24px}
.verdict strong{display:block;font-size:26px;line-height:1.2;color:var(--tone)}
.verdict ul{margin:10px 0 0;padding-left:20px}
.good{--tone:var(--good)}.some{--tone:var(--some)}.bad{--tone:var(--bad)}
table{border-collapse:collapse;width:100%;background:var(--paper)}
th,td{text-align:left;padding:6px 12px;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--muted);font-weight:600;font-size:13px;background:var(--paper);position:sticky;top:0}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums}
td.short{color:var(--some);font-weight:600}
tr.sum td{font-weight:600}
.trap header{display:flex;gap:12px;align-items:baseline;flex-wrap:wrap}
.trap code{color:var(--muted);font-size:13px}
.count{margin-left:auto;font-weight:700;font-size:18px;font-variant-numeric:tabular-nums}
.count small{font-weight:400;color:var(--muted);font-size:13px}
details{margin-top:10px}
summary{cursor:pointer;color:#0b5cad}
.rows{max-height:420px;overflow:auto;border:1px solid var(--line);border-radius:6px;margin-top:8px}
.rows td{font-size:13px;overflow-wrap:anywhere}
.pictures{display:flex;flex-wrap:wrap;gap:14px;margin-top:12px}
.group{display:flex;gap:6px;padding:8px;border:1px solid var(--line);border-radius:8px;background:var(--back)}
figure{margin:0;max-width:240px}
figure img{display:block;height:220px;width:auto;max-width:240px;object-fit:contain;background:#000}
figcaption{font-size:11px;color:var(--muted);overflow-wrap:anywhere;margin-top:4px}
.index{display:grid;grid-template-columns:repeat(auto-fill,minmax(320px,1fr));gap:2px 28px}
.index{margin:0;padding:0;list-style:none}
.index a{display:flex;justify-content:space-between;gap:16px;color:inherit;text-decoration:none}
.index a{border-bottom:1px solid var(--line);padding:3px 0}
.index .none{color:var(--muted)}
footer{margin-top:36px;color:var(--muted);font-size:13px}
"""
