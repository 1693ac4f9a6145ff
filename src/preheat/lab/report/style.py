"""How the report looks: on a screen, light and dark, on a phone, and on paper."""

SCALE = ("#12366a", "#2e4d74", "#49637c", "#657a83", "#829089", "#a0a78e", "#bfbe91", "#ded594", "#ffec95")
"""From better to worse: blue to yellow in even steps of lightness, which colour-blind readers and grey prints keep."""

_INK = ("#fff", "#fff", "#fff", *("#000",) * 6)

STYLE = """
:root{color-scheme:light dark;--page:#fff;--text:#14181d;--soft:#5b6470;--line:#d9dde2;--card:#f6f7f9;--accent:#0b63b5}
@media(prefers-color-scheme:dark){
 :root{--page:#14181d;--text:#e6e9ed;--soft:#a7b0ba;--line:#343c46;--card:#1b2027;--accent:#6cb2ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
main{max-width:1080px;margin:0 auto;padding:32px 20px 64px}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 16px}
h2{font-size:1.25rem;margin:48px 0 4px}
h3{font-size:1rem;margin:28px 0 4px}
a{color:var(--accent)}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px;border-radius:4px}
.skip{position:absolute;top:-60px;left:8px;padding:8px 12px;background:var(--page);z-index:2}
.skip:focus{top:8px}
.soft,figcaption{color:var(--soft)}
.verdict{border-left:4px solid var(--accent);background:var(--card);padding:12px 16px;margin:12px 0}
.verdict b,.verdict span{display:block}.verdict span+span{margin-top:4px}
nav ul{display:flex;flex-wrap:wrap;gap:4px 20px;padding:0;list-style:none;font-size:.92rem}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:16px;margin:16px 0}
figure{margin:0;max-width:640px;border:1px solid var(--line);border-radius:8px;padding:8px;min-width:0}
figure>svg{display:block;width:100%;height:auto}
figcaption{font-size:.85rem;padding:4px}
summary{cursor:pointer;color:var(--accent);font-size:.88rem;padding:4px;width:max-content;max-width:100%}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;border:0;padding:8px 0;margin:12px 0 0}
.legend legend{float:left;color:var(--soft);padding:0 8px 0 0}
.legend label{display:inline-flex;align-items:center;gap:6px;cursor:pointer}
.swatch{width:26px;height:10px;flex:none}
@supports not selector(:has(a)){.legend input{display:none}}
.scroll{overflow-x:auto;margin:12px 0}
table{border-collapse:collapse;font-size:.92rem}
.cards{width:100%}
th,td{text-align:right;padding:6px 10px;border-bottom:1px solid var(--line);white-space:nowrap}
td{font-variant-numeric:tabular-nums}
thead th{color:var(--soft);font-weight:600}
.cards thead th{white-space:normal;overflow-wrap:normal}
tr>th:first-child{text-align:left;padding-left:0;font-weight:600;white-space:normal;min-width:10em}
figure table{font-size:.82rem}
.heat{border-collapse:separate;border-spacing:3px}
.heat tbody th{position:sticky;left:0;background:var(--page);min-width:7.5em}
.heat th,.heat td{border:0;text-align:center;padding:8px 10px}
.heat td{border-radius:4px;min-width:5.2em}
.heat small{display:block;font-size:.78rem}
.heat .lost,.key .lost{background:repeating-linear-gradient(45deg,var(--card) 0 5px,var(--line) 5px 10px);color:var(--text)}
.heat .best{outline:3px solid var(--text);outline-offset:-3px;font-weight:700}
.heat .edge{box-shadow:5px 0 0 -1px var(--accent)}
.key{display:flex;flex-wrap:wrap;gap:4px 14px;font-size:.85rem;color:var(--soft);align-items:center}
.key i{display:inline-block;width:18px;height:12px;vertical-align:-1px}
.key .edge{width:5px;background:var(--accent)}
dl{display:grid;grid-template-columns:fit-content(24em) 1fr;gap:4px 16px;margin:12px 0}
dt{font-weight:600}dd{margin:0}
code,pre{font:.88em/1.5 ui-monospace,monospace}
pre{background:var(--card);padding:12px 16px;border-radius:6px;white-space:pre-wrap}
ul.records{columns:18rem;padding-left:1.2em}
@media screen and (max-width:480px){figure>.preheat-chart text{font-size:16px}}
@media screen and (max-width:720px){
 main{padding:20px 14px 48px}
 figure{padding:4px}
 .cards thead{display:none}
 .cards,.cards tbody,.cards tr,.cards td,.cards th{display:block;width:100%}
 .cards tr{border:1px solid var(--line);border-radius:8px;padding:6px 12px;margin:10px 0}
 .cards td{display:flex;justify-content:space-between;gap:16px;padding:3px 0;border:0;white-space:normal}
 .cards td::before{content:attr(data-label);color:var(--soft)}
 .cards td.none{display:none}
 .cards tbody th{border:0;padding:3px 0;font-size:1.05em;min-width:0}
 dl{grid-template-columns:1fr}dd{margin-bottom:6px}
}
@media print{
 body{font-size:11pt}
 main{max-width:none;padding:0}
 nav,.skip,.legend input,summary{display:none}
 .verdict details::details-content{display:block;content-visibility:visible}
 .charts{grid-template-columns:1fr 1fr}
 table{font-size:8pt}th,td{padding:3px 6px}thead th{white-space:normal}tr>th:first-child{min-width:6em}
 figure,.verdict,tr{break-inside:avoid}
 h2,h3{break-after:avoid}
 .heat td,.key i{print-color-adjust:exact}
}
""" + "".join(
    f".heat .h{k},.key .h{k}{{background:{paper};color:{ink}}}"
    for k, (paper, ink) in enumerate(zip(SCALE, _INK, strict=True))
)
