"""Style sheet of the HTML report."""

from typing import Final

STYLE: Final = """
:root { color-scheme: light dark; --back: #fff; --text: #1c2430; --muted: #8a94a3;
  --card: #f5f7fa; --bar: #7fa8dd; --c0: #2563b0; --c1: #d1601f; --c2: #2f8a4e;
  --c3: #8d4bb8; --c4: #b08900; --c5: #c0305f; --c6: #148a94; }
@media (prefers-color-scheme: dark) { :root { --back: #14181f; --text: #e4e9f0;
  --muted: #7d8796; --card: #1d232d; --bar: #3d6ca8; --c0: #6ea8f0; --c1: #f08d4f;
  --c2: #5fc482; --c3: #c08be6; --c4: #dcb640; --c5: #f06d97; --c6: #4cc5cf; } }
body { font: 15px/1.45 system-ui, sans-serif; background: var(--back);
  color: var(--text); max-width: 1320px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 0 0 .6rem; }
h3 { font-size: .9rem; font-weight: 600; margin: .8rem 0 .2rem; }
.columns { display: grid; gap: 0 1.5rem; align-items: start;
  grid-template-columns: repeat(auto-fit, minmax(330px, 1fr)); }
main > .columns { gap: 0 1rem; }
section { background: var(--card); border-radius: 8px; padding: 1rem;
  margin-bottom: 1rem; overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; width: 100%; }
th, td { text-align: right; padding: .2rem .35rem; vertical-align: bottom; }
td { font-variant-numeric: tabular-nums; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
th { color: var(--muted); font-weight: 600; }
tr + tr { border-top: 1px solid color-mix(in srgb, var(--muted) 30%, transparent); }
svg { width: 100%; max-width: 520px; height: auto; display: block; }
svg text { font-size: 11px; fill: var(--text); }
polyline { fill: none; stroke-width: 2; }
.grid { stroke: var(--muted); stroke-opacity: .35; }
.bar { fill: var(--bar); } .interval { stroke: var(--text); stroke-width: 1.5; }
.mean { stroke: var(--muted); stroke-width: 3; }
line.baseline { stroke: var(--c5); stroke-width: 3; }
.edge { fill: none; stroke: var(--muted); stroke-opacity: .6; }
.error { fill: var(--c0); fill-opacity: .3; } .point { fill: var(--text); }
path.true { fill: none; stroke: #35e06c; stroke-width: 1.3; }
path.predicted { fill: none; stroke: #ff4d6d; stroke-width: 1.3; }
i.true, i.predicted { display: inline-block; width: 1.2em; height: 3px;
  vertical-align: middle; margin: 0 .4em 0 1em; background: #35e06c; }
i.predicted { background: #ff4d6d; }
.legend { font-size: .8rem; margin: .2rem 0; }
.legend span { display: inline-block; margin-right: 1em; }
.legend i { display: inline-block; width: 24px; height: 3px; margin-right: .4em;
  vertical-align: middle; }
.worst { display: grid; gap: .8rem;
  grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); }
.examples { display: grid; gap: .8rem;
  grid-template-columns: repeat(auto-fill, minmax(400px, 1fr)); }
.strip { display: grid; grid-template-columns: repeat(5, 1fr); gap: 2px; }
.strip img { width: 100%; }
figure { margin: 0; } figcaption { font-size: .75rem; overflow-wrap: anywhere; }
"""
