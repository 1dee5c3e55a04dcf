/** How pages look, by day and by night. Colours of curves are told apart by those who see no red or green too (after Okabe and Ito). */

export const STYLE = `
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1b2430;--soft:#5b6776;--line:#dfe3e8;--grid:#eceff2;
--c0:#1765ad;--c1:#c65d00;--c2:#067d5f;--c3:#a34a87;--bad:#b3261e;--good:#1b7a43;--band:#8a94a31f;--mark:#1765ad14}
@media (prefers-color-scheme:dark){:root{--bg:#12161c;--card:#1a2028;--ink:#e6eaf0;--soft:#9aa6b4;--line:#2d3641;--grid:#252d37;
--c0:#63aef0;--c1:#f0a050;--c2:#4cc9a0;--c3:#dd95c5;--bad:#ff8a80;--good:#6bd394;--band:#9aa6b41c;--mark:#63aef01f}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
header,main,footer{max-width:1240px;margin:0 auto;padding:0 20px}
header{padding-top:32px}
h1{font-size:26px;line-height:1.25;margin:0 0 8px;letter-spacing:-.01em;text-wrap:balance;overflow-wrap:anywhere}
h2{font-size:18px;margin:36px 0 4px;letter-spacing:-.005em}
h3{font-size:14px;font-weight:600;margin:0}
.note,.sub{color:var(--soft);margin:0 0 12px}
.sub{display:flex;flex-wrap:wrap;gap:2px 16px}
.note{font-size:13.5px;max-width:80ch}
.tag{display:inline-block;border-radius:99px;padding:1px 10px;font-size:13px;font-weight:600;border:1px solid currentColor}
.good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--c1)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(132px,1fr));gap:1px;margin:20px 0 0;background:var(--line);border:1px solid var(--line);border-radius:10px;overflow:hidden}
.tile{background:var(--card);padding:12px 14px}
.tile b{display:block;font-size:21px;font-weight:600;letter-spacing:-.01em;font-variant-numeric:tabular-nums;white-space:nowrap}
.tile span{color:var(--soft);font-size:12.5px}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(340px,100%),1fr));gap:14px}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(420px,100%),1fr));gap:14px;align-items:start}
figure,.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 14px;margin:0;min-width:0}
figcaption{display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 12px;align-items:baseline}
.unit{color:var(--soft);font-size:12.5px}
.legend{display:flex;flex-wrap:wrap;gap:0 14px;font-size:12.5px;color:var(--soft);min-height:20px;margin:2px 0 4px}
.legend b{color:var(--ink);font-weight:600;font-variant-numeric:tabular-nums}
svg text.when{fill:var(--ink);font-weight:600}
.legend i{display:inline-block;width:14px;height:0;border-top:2.5px solid;margin-right:5px;vertical-align:middle}
.legend i.dot{width:9px;height:9px;border:0;border-radius:50%;background:currentColor}
.legend i.hollow{width:9px;height:9px;border:1.5px solid;border-radius:50%}
.legend i.square{width:9px;height:9px;border:0;background:currentColor}
.k0 i,.k0i{color:var(--c0);border-color:var(--c0)}.k1 i{color:var(--c1);border-color:var(--c1)}.k2 i{color:var(--c2);border-color:var(--c2)}.k3 i{color:var(--c3);border-color:var(--c3)}.kx i{color:var(--bad)}
.k1 i:not([class]){border-top-style:dashed}.k2 i:not([class]){border-top-style:dotted}.k3 i:not([class]){border-top-style:double;border-top-width:4px}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{font:11.5px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;fill:var(--soft);font-variant-numeric:tabular-nums}
svg .axis{stroke:var(--line);stroke-width:1}svg .rule{stroke:var(--grid);stroke-width:1}
svg .curve{fill:none;stroke-width:1.9;stroke-linejoin:round;stroke-linecap:round}
.s0{stroke:var(--c0)}.s1{stroke:var(--c1);stroke-dasharray:6 3}.s2{stroke:var(--c2);stroke-dasharray:1.5 3.5}.s3{stroke:var(--c3);stroke-dasharray:9 3 2 3}
.f0{fill:var(--c0)}.f1{fill:var(--c1)}.f2{fill:var(--c2)}.f3{fill:var(--c3)}
.band{fill:var(--band)}.cursor{stroke:var(--soft);stroke-width:1;visibility:hidden}.at{visibility:hidden;stroke:var(--card);stroke-width:1.5}
.plot{touch-action:pan-y;cursor:crosshair}.plot:focus-visible{outline:2px solid var(--c0);outline-offset:2px;border-radius:4px}
.link{stroke:var(--soft);stroke-width:.7;opacity:.3}.dense .link{opacity:.09}
.node{fill:var(--c0);stroke:var(--card);stroke-width:1}.node.down{fill:var(--card);stroke:var(--soft);stroke-width:1.5}.node.adv{fill:var(--bad)}
.rank .node{stroke-width:0}.rank .node.down{stroke-width:1.2}
.seed{fill:var(--c0);opacity:.28}.whisker{stroke:var(--c0);stroke-width:2.2}.middle{fill:var(--c0);stroke:var(--card);stroke-width:1.5}
.median{stroke:var(--soft);stroke-dasharray:3 3}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:10px}
.tall{max-height:560px;overflow-y:auto}
table{border-collapse:collapse;width:100%;font-size:13.5px}
th,td{text-align:left;padding:6px 12px;border-bottom:1px solid var(--grid);white-space:nowrap}
td.wrap{white-space:normal;min-width:24ch}td small{display:block;color:var(--soft);font-size:12px}
.sites td:first-child,.sites th:first-child{position:sticky;left:0;background:var(--card);white-space:normal;min-width:11ch;max-width:24ch}.sites th:first-child{z-index:2}
.prose td{white-space:normal;min-width:11ch;vertical-align:top}.prose small{max-width:46ch}.prose code{white-space:nowrap}
tbody tr:last-child td{border-bottom:0}tbody tr:hover{background:var(--mark)}
th{color:var(--soft);font-weight:600;font-size:12.5px;position:sticky;top:0;background:var(--card);z-index:1}
.n{text-align:right;font-variant-numeric:tabular-nums}
th button{all:unset;cursor:pointer}th button:focus-visible{outline:2px solid var(--c0)}
th button::after,th.n button::before{content:"";display:inline-block;width:1.1em;text-align:center}th.n button::after{width:0}
th[aria-sort=ascending]:not(.n) button::after,th.n[aria-sort=ascending] button::before{content:"↑"}th[aria-sort=descending]:not(.n) button::after,th.n[aria-sort=descending] button::before{content:"↓"}
code,pre{font:12.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
code{overflow-wrap:anywhere;white-space:normal}
pre{margin:0;padding:12px 14px;overflow-x:auto;max-height:480px}
details summary{cursor:pointer;padding:10px 14px;font-weight:600}
details{background:var(--card);border:1px solid var(--line);border-radius:10px;margin-top:14px}
footer{color:var(--soft);font-size:13px;padding-top:28px;padding-bottom:40px}
.purpose{margin:0 0 8px;max-width:80ch}
.soft{color:var(--soft);font-weight:400}.withheld{color:var(--soft);font-style:italic}
.zero{stroke:var(--soft);stroke-dasharray:3 3}.many{stroke:var(--c0);stroke-width:1;opacity:.35}.thin{stroke-width:1.1;opacity:.75}
.forest{max-width:760px}.forest text.name{fill:var(--ink)}
.squares{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:14px}
.heat td{border:1px solid var(--card)}.heat td.own{outline:2px solid var(--soft);outline-offset:-2px}.heat th[scope=row]{position:sticky;left:0}
.h0{background:#1765ad10}.h1{background:#1765ad1e}.h2{background:#1765ad2e}.h3{background:#1765ad40}.h4{background:#1765ad52}.h5{background:#1765ad66}.h6{background:#1765ad7a}.h7{background:#1765ad90}
ul.card{margin:0;padding:12px 14px 12px 32px}ul.card li{margin:4px 0;max-width:95ch}
ul.plain{margin:10px 0 0;max-width:95ch;font-size:13.5px;padding-left:20px;color:var(--soft)}
ol.card{margin:0;padding:12px 14px 12px 32px}ol.card li{margin:4px 0;max-width:95ch}
dl{display:grid;grid-template-columns:minmax(8em,auto) 1fr;gap:2px 14px;margin:8px 0 0}dt{color:var(--soft)}dd{margin:0;min-width:0;overflow-wrap:anywhere}
div.card+div.card{margin-top:12px}
figure+.scroll,.by+.scroll,.card+.scroll{margin-top:12px}h3.by{margin:16px 0 6px}
@media (max-width:560px){dl{grid-template-columns:1fr}dd{margin-bottom:6px}.wide text{font-size:17px}header,main,footer{padding-left:12px;padding-right:12px}header{padding-top:20px}h1{font-size:21px}th,td{padding:6px 9px}.tiles{grid-template-columns:repeat(2,1fr)}.tile:last-child:nth-child(odd){grid-column:span 2}}
@media print{body{background:#fff}figure,.card{break-inside:avoid}.tall{max-height:none}.scroll{overflow:visible}th,td{padding:3px 6px;font-size:11px}}
`
