# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a report's page looks: on a screen of any width, light and dark, and on paper."""

from __future__ import annotations

# Every colour of a text stands out from what it lies on by 4.5 to 1 at least (WCAG 2.2, 1.4.3); a
# test in a browser asks axe-core.
STYLE = """
:root {
  color-scheme: light dark;
  --page: #f6f5f2; --card: #ffffff; --ink: #1d2126; --soft: #555d66; --line: #dfdcd5;
  --link: #1f5a94; --open: #b3231a; --unknown: #6b3fa8; --drift: #875100; --accepted: #2d5f8f;
  --order: #1d6b3f; --none: #5a6169; --tint: #f1efea;
  --open-tint: #fdeeec; --unknown-tint: #f4effb; --drift-tint: #fcf3e3; --order-tint: #eaf5ee;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14161a; --card: #1c1f25; --ink: #e9e7e2; --soft: #a9b0b9; --line: #343942;
    --link: #8fc0f5; --open: #ff938a; --unknown: #c9abff; --drift: #f0b660; --accepted: #94c0ee;
    --order: #80d2a2; --none: #a6adb6; --tint: #24282f;
    --open-tint: #3a2020; --unknown-tint: #2c2440; --drift-tint: #362a17; --order-tint: #1a3025;
  }
}
* { box-sizing: border-box; }
html { font-size: 100%; -webkit-text-size-adjust: 100%; scroll-padding-top: 4.5rem; }
body {
  margin: 0 auto; padding: 2.5rem 1.5rem 3rem; max-width: 72rem; background: var(--page);
  color: var(--ink); font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans",
  "Liberation Sans", Arial, sans-serif; overflow-wrap: anywhere;
}
h1, h2, h3, h4, h5, p, ul, ol, figure, table { margin: 0; padding: 0; }
h1 { font-size: 1.25rem; font-weight: 650; letter-spacing: -.005em; }
h2 { font-size: 1.15rem; font-weight: 650; letter-spacing: -.005em; line-height: 1.3; }
h3 { font-size: .95rem; font-weight: 650; }
h4 { font-size: 1.05rem; font-weight: 650; }
h5 { font-size: .95rem; font-weight: 650; margin-bottom: .6rem; }
h5 b { font-weight: 650; }
ul, ol { list-style: none; }
a { color: var(--link); text-underline-offset: .18em; text-decoration-thickness: .06em; }
a:hover { text-decoration-thickness: .12em; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: 3px; }
code { font: .92em ui-monospace, "SF Mono", Consolas, "Liberation Mono", monospace; }
.open { color: var(--open); } .unknown { color: var(--unknown); } .drift { color: var(--drift); }
.accepted { color: var(--accepted); } .order { color: var(--order); } .none { color: var(--none); }
.note { color: var(--soft); }
.skip { position: absolute; left: -99rem; top: 0; background: var(--card); padding: .6rem 1rem; }
.skip:focus { left: 1rem; z-index: 2; }
.defs { position: absolute; width: 0; height: 0; overflow: hidden; }
.sign { width: 1em; height: 1em; flex: none; vertical-align: -.13em; }
.badge { display: inline-flex; align-items: center; gap: .35em; font-size: .85rem;
  font-weight: 600; white-space: nowrap; }
.calm, .more { color: var(--soft); }
.more { font-size: .9rem; margin-top: .4rem; }
.about { color: var(--soft); font-size: .85rem; }
.about > span + span::before { content: "·"; margin: 0 .5em; }

header { display: grid; gap: .15rem; margin-bottom: 1.75rem; }
.brand { font-size: .8rem; color: var(--soft); letter-spacing: .02em; }
header .about { margin-top: .15rem; }

.headline { margin-bottom: 2rem; }
.verdict { display: flex; gap: .45em; align-items: baseline; font-size: 2.1rem; line-height: 1.15;
  font-weight: 700; letter-spacing: -.02em; text-wrap: balance; }
.verdict .sign { width: .8em; height: .8em; vertical-align: 0; }
.bar { display: block; width: 100%; height: .7rem; margin: 1.1rem 0 .9rem; border-radius: .35rem; }
.bar rect { fill: currentColor; }
.counts { display: flex; flex-wrap: wrap; gap: .4rem 1.5rem; }
.counts a { display: inline-flex; align-items: center; gap: .4em; padding: .2rem 0;
  text-decoration: none; }
.counts a:hover { text-decoration: underline; }
.headline .note { margin-top: .7rem; }

.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr));
  gap: 1.25rem; align-items: start; margin-bottom: 2.5rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 1.25rem 1.4rem; }
.card h2 { margin-bottom: .8rem; }
.card h3 { margin: 1.1rem 0 .35rem; }
.card h2 + h3 { margin-top: 0; }
.first { counter-reset: place; }
.first li { counter-increment: place; display: grid; grid-template-columns: 1.6rem 1fr;
  padding: .55rem 0; border-top: 1px solid var(--line); }
.first li:first-child { border-top: 0; padding-top: 0; }
.first li::before { content: counter(place); color: var(--soft); font-variant-numeric: tabular-nums;
  grid-row: span 2; }
.first a { display: inline-flex; gap: .4em; align-items: center; text-decoration: none;
  font-size: 1.05rem; justify-self: start; }
.first a b { text-decoration: underline; text-underline-offset: .18em; }
.first .tag { font-size: .85rem; font-weight: 600; }
.why { grid-column: 2; font-size: .93rem; display: -webkit-box; -webkit-line-clamp: 2;
  -webkit-box-orient: vertical; overflow: hidden; }
.changes li { padding: .2rem 0; font-size: .95rem; }
.to { color: var(--soft); }
.names { font-size: .95rem; }

.by-cause { margin-bottom: 2.5rem; }
.by-cause > p { color: var(--soft); margin: .2rem 0 .8rem; }
table { width: 100%; border-collapse: collapse; font-size: .93rem; }
caption { text-align: left; font-size: .85rem; color: var(--soft); padding-bottom: .3rem; }
th, td { text-align: left; vertical-align: top; padding: .5rem .8rem .5rem 0; font-weight: 400;
  border-top: 1px solid var(--line); }
thead th { border-top: 0; color: var(--soft); font-size: .82rem; padding: .2rem .8rem .3rem 0;
  overflow-wrap: normal; }
td:last-child, th:last-child { padding-right: 0; }
.number { font-variant-numeric: tabular-nums; }
.causes th[scope=row] { width: 58%; }
.causes td.number { font-size: 1.15rem; font-weight: 650; }
.causes .words { font-weight: 600; }
.causes th > .about, .causes th > .remedy { display: block; margin-top: .15rem; }
.remedy { color: var(--ink); }

.sites > h2 { margin-bottom: .3rem; }
.group { margin-top: 1.4rem; }
.group > h3 { margin-bottom: .5rem; color: var(--soft); }
.group > h3 .number { font-weight: 400; }
.site { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  margin-top: .5rem; }
summary { cursor: pointer; }
.site > summary { display: grid; grid-template-columns: 8.2rem minmax(6rem, 13rem) 1fr 1rem;
  gap: .2rem 1rem; align-items: baseline; padding: .7rem 1.2rem; list-style: none; }
.site > summary::-webkit-details-marker { display: none; }
.site > summary::after { content: ""; width: .45rem; height: .45rem; margin-right: .2rem;
  border: solid var(--soft); border-width: 0 2px 2px 0; transform: rotate(45deg);
  align-self: center; justify-self: end; grid-column: 4; grid-row: 1; }
.site[open] > summary::after { transform: rotate(-135deg); }
.site > summary:hover { background: var(--tint); border-radius: 10px; }
.line { font-size: .9rem; color: var(--soft); display: -webkit-box; -webkit-line-clamp: 2;
  -webkit-box-orient: vertical; overflow: hidden; }
.site[open] > summary .line { display: none; }
.body { padding: 1rem 1.2rem 1.4rem; display: grid; gap: 1.6rem; border-top: 1px solid var(--line);
  scroll-margin-top: 4rem; }
.trouble { background: var(--unknown-tint); border-radius: 8px; padding: .6rem .8rem;
  margin-bottom: .8rem; }
.findings > li { padding: .6rem 0 .6rem .9rem; border-left: 3px solid var(--line); }
.findings > li + li { margin-top: .35rem; }
.findings > li:has(> .about > .open) { border-color: var(--open); }
.findings > li:has(> .about > .drift) { border-color: var(--drift); }
.findings > li:has(> .about > .accepted) { border-color: var(--accepted); }
.findings > li.rest { padding-top: 0; padding-bottom: .2rem; border-color: transparent; }
.findings > li.rest > .fold { margin-top: 0; }
.findings .words { font-weight: 600; }
.findings .words.long { font-weight: 400; }
.findings .remedy { margin-top: .15rem; }
.findings .about { margin-top: .15rem; }
.new { font-weight: 650; color: var(--ink); }
.next { margin-top: .9rem; background: var(--tint); border-radius: 8px; padding: .6rem .9rem; }
.view { display: flex; flex-wrap: wrap; gap: 1.2rem 2rem; align-items: flex-start; }
.pictures { display: flex; flex-wrap: wrap; gap: 1.2rem 1.5rem; }
.doors { flex: 1 1 30rem; min-width: 0; }
.doors table { table-layout: fixed; }
.doors tbody th { font-weight: 600; padding-bottom: 0; }
.doors tbody td { border-top: 0; padding-top: .1rem; }
figcaption { font-size: .85rem; color: var(--soft); margin-bottom: .35rem; }
.fold { margin-top: .7rem; }
.fold > summary { color: var(--link); font-size: .93rem; padding: .15rem 0; }
.fold > :not(summary) { margin: .5rem 0 .5rem 1.1rem; width: auto; }
.fold > table { width: calc(100% - 1.1rem); }
.body ul:not(.findings) > li { font-size: .93rem; padding: .12rem 0; }
.unseen h5 .sign { margin-right: .3em; }
.body .unseen ul > li { padding-left: .9rem; border-left: 3px dotted var(--none); }

.cut { fill: none; stroke: var(--card); stroke-width: 2; }
.edge { display: block; width: 290px; max-width: 100%; height: auto; }
.edge text { font-size: 12px; fill: var(--ink); }
.stage { font-weight: 650; font-size: 13px; fill: var(--ink); }
.edge .state { fill: var(--soft); font-size: 11px; }
.band { fill: var(--tint); stroke: var(--line); }
.band.open { fill: var(--open-tint); stroke: var(--open); }
.band.unknown { fill: var(--unknown-tint); stroke: var(--unknown); stroke-dasharray: 4 3; }
.band.drift { fill: var(--drift-tint); stroke: var(--drift); }
.band.order { fill: var(--order-tint); stroke: var(--order); }
.band.accepted { stroke: var(--accepted); }
.band.none { stroke-dasharray: 2 3; stroke: var(--none); }
.link { stroke: var(--line); stroke-width: 2; }
.edge .who { text-anchor: middle; font-size: 11px; }
.edge .end { font-weight: 650; fill: currentColor; }
.way { fill: none; stroke: currentColor; stroke-width: 3; }
.end-stop { fill: none; stroke: currentColor; stroke-width: 4; }
.end-arrow { fill: currentColor; }
.end-ask { fill: var(--card); stroke: currentColor; stroke-width: 2; }
.way.doubt { stroke-dasharray: 3 4; }

footer { margin-top: 3rem; padding-top: 1.2rem; border-top: 1px solid var(--line);
  color: var(--soft); font-size: .85rem; display: grid; gap: .3rem; }

@media (max-width: 44rem) {
  body { padding: 1rem 1rem 2rem; }
  header { margin-bottom: 1rem; }
  .headline { margin-bottom: 1.2rem; }
  .headline .note { margin-top: .4rem; }
  .verdict { font-size: 1.55rem; }
  .bar { margin: .8rem 0 .6rem; }
  .counts { gap: .1rem 1.1rem; }
  .card { padding: .9rem 1rem; }
  .card h2 { margin-bottom: .6rem; }
  .site > summary { grid-template-columns: 1fr 1rem; padding: .7rem 1rem; gap: .15rem .6rem; }
  .site > summary > * { grid-column: 1; }
  .site > summary::after { grid-column: 2; }
  .body { padding: .9rem 1rem 1.1rem; }
  th, td { padding-right: .5rem; }
  .why { -webkit-line-clamp: 3; }
  table { font-size: .86rem; }
  .causes th[scope=row] { width: 50%; }
}
@media print {
  :root {
    color-scheme: light; --page: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb;
    --link: #000; --open: #a01810; --unknown: #5a3090; --drift: #704300; --accepted: #224d78;
    --order: #145530; --none: #444; --tint: #fff;
    --open-tint: #fff; --unknown-tint: #fff; --drift-tint: #fff; --order-tint: #fff;
  }
  @page { margin: 16mm 14mm; }
  body { padding: 0; max-width: none; font-size: 10pt; }
  .skip, .site > summary::after { display: none; }
  .print::details-content, .print .fold::details-content { content-visibility: visible;
    height: auto; }
  .print > summary .line { display: none; }
  .card, .site { border-radius: 0; }
  .site > summary, h2, h3, h5, figure, tr, .findings > li { break-inside: avoid; }
  h2, h3, h5, .site > summary { break-after: avoid; }
  .why, .line { -webkit-line-clamp: none; display: block; }
  a { text-decoration: none; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
@media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth; } }
@media (forced-colors: active) { .bar rect, .way { forced-color-adjust: none; } }
"""

# One sign a state, told apart by its shape: an open door, a question, unequal, a clock, a tick, a
# dash, a note.
SIGNS = (
    '<symbol id="s-open" viewBox="0 0 16 16"><path fill="currentColor" d="M5 .5h6L15.5 5v6L11 15.5'
    'H5L.5 11V5z"/><path class="cut" d="M8 3.8v5M8 10.9v1.5"/></symbol>'
    '<symbol id="s-unknown" viewBox="0 0 16 16"><path fill="none" stroke="currentColor" '
    'stroke-width="1.6" stroke-dasharray="3 1.9" d="M8 1.2a6.8 6.8 0 1 1 0 13.6a6.8 6.8 0 1 '
    '1 0-13.6"/><path fill="none" stroke="currentColor" stroke-width="1.7" d="M5.9 6.3c0-1.3 '
    '1-2 2.1-2s2.1.8 2.1 1.9c0 1.4-2.1 1.7-2.1 3M8 10.4v1.7"/></symbol>'
    '<symbol id="s-drift" viewBox="0 0 16 16"><path fill="none" stroke="currentColor" '
    'stroke-width="2" d="M2 5.7h12M2 10.3h12M11 1.8L5 14.2"/></symbol>'
    '<symbol id="s-accepted" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6.6" fill="none" '
    'stroke="currentColor" stroke-width="1.8"/><path fill="none" stroke="currentColor" '
    'stroke-width="1.8" d="M8 4v4.3l2.8 1.7"/></symbol>'
    '<symbol id="s-order" viewBox="0 0 16 16"><path fill="none" stroke="currentColor" '
    'stroke-width="2.3" d="M2 8.7l4 4L14 3.5"/></symbol>'
    '<symbol id="s-none" viewBox="0 0 16 16"><path fill="none" stroke="currentColor" '
    'stroke-width="2" stroke-dasharray="3.3 1.8" d="M1 8h14"/></symbol>'
    '<symbol id="s-note" viewBox="0 0 16 16"><path fill="none" stroke="currentColor" '
    'stroke-width="2" d="M8 7v6M8 3.2v2"/></symbol>'
)
