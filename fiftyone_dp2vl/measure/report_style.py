"""The look of a report card: light and dark, wide and narrow, on a screen and on paper."""

from __future__ import annotations

__all__ = ["HEAT_STEPS", "style"]

HEAT_STEPS = 11
"""Colours of the heat map, from chance to certainty."""

_LIGHT = {
    "page": "#f6f6f4",
    "card": "#ffffff",
    "ink": "#1b1f24",
    "soft": "#59626e",
    "faint": "#707985",
    "hair": "#e1e3e6",
    "track": "#eceef0",
    "clean": "#2b66b8",
    "protected": "#a8690a",
    "control": "#7b8694",
    "wins": "#c0272d",
    "right": "#1f7a4d",
    "identity": "#4b4fb8",
    "affiliation": "#0d7f86",
}
_DARK = {
    "page": "#14171b",
    "card": "#1c2026",
    "ink": "#e8eaed",
    "soft": "#a5adb8",
    "faint": "#8d96a3",
    "hair": "#31373f",
    "track": "#2a3038",
    "clean": "#77aaf0",
    "protected": "#e2ac4c",
    "control": "#939daa",
    "wins": "#ff7b78",
    "right": "#5fc995",
    "identity": "#a3a6f5",
    "affiliation": "#54c3ca",
}
_HEAT_LIGHT = ((250, 246, 238), (240, 178, 92), (168, 28, 40))
_HEAT_DARK = ((38, 42, 49), (150, 96, 30), (226, 76, 72))

_RULES = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;print-color-adjust:exact;-webkit-print-color-adjust:exact}
body{margin:0;background:var(--page);color:var(--ink);
 font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:1200px;margin:0 auto;padding:40px 24px 64px}
h1,h2,h3,h4,p,figure,ul,ol,dl{margin:0;padding:0}
h1{font-size:30px;line-height:1.2;font-weight:650;letter-spacing:-.015em;max-width:26em;
 text-wrap:balance}
h2{font-size:20px;line-height:1.3;font-weight:650;letter-spacing:-.01em}
h3{font-size:15px;font-weight:600}
a{color:inherit}
header .eyebrow{color:var(--soft);font-size:14px;margin-bottom:8px}
header .meta{color:var(--soft);font-size:14px;margin-top:12px}
header .meta span+span::before{content:"·";margin:0 8px;color:var(--faint)}
section{background:var(--card);border:1px solid var(--hair);border-radius:12px;padding:28px;
 margin-top:24px;min-width:0}
.lead{color:var(--soft);max-width:46em;margin-top:6px}
.legend{display:flex;flex-wrap:wrap;gap:6px 20px;color:var(--soft);font-size:13px;margin-top:14px;
 padding:0;list-style:none}
.legend li{display:flex;align-items:center;gap:7px}
.legend svg,.legend svg.lane{flex:none;height:16px;min-height:0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(260px,1fr));gap:16px;
 margin:20px 0 22px}
.tile{border:1px solid var(--hair);border-radius:10px;padding:18px 20px}
.tile h3{color:var(--soft);font-weight:500}
.tile .pair{display:flex;align-items:baseline;gap:12px;margin:8px 0 2px;
 font-variant-numeric:tabular-nums}
.tile .pair b{font-size:34px;line-height:1.15;font-weight:650;letter-spacing:-.02em}
.tile .pair b.was{color:var(--clean)}
.tile .pair b.is{color:var(--protected)}
.tile .pair b.won{color:var(--wins)}
.tile .pair i{font-style:normal;color:var(--faint);font-size:22px}
.tile small{display:block;color:var(--soft);font-size:13px;line-height:1.45}
.sentences{display:grid;gap:8px;list-style:none;max-width:50em}
.panels{display:grid;gap:28px 40px;margin-top:22px}
.panels.two{grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr))}
.panels.many{grid-template-columns:repeat(auto-fit,minmax(min(100%,224px),1fr));gap:26px 28px}
.panel{min-width:0}
.panel h3{margin-bottom:6px}
.panel h3 small{font-weight:400;color:var(--faint);margin-left:6px}
.subhead{margin-top:34px;padding-top:22px;border-top:1px solid var(--hair)}
.lanes{display:grid;grid-template-columns:minmax(0,11.5em) minmax(80px,1fr) 3.4em;
 column-gap:14px;align-items:center;font-size:13.5px}
.many .lanes{grid-template-columns:minmax(0,7.9em) minmax(60px,1fr) 3.3em;font-size:12.5px;
 column-gap:10px}
.lanes .name{color:var(--soft);line-height:1.25;overflow-wrap:break-word}
.lanes .name.clean,.lanes .name.protected,.lanes .name.wins{color:var(--ink);font-weight:550}
.lanes .name,.lanes .value{padding:2px 0}
.lanes .value{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.lanes .group{grid-column:1/-1;font-weight:550;padding-top:12px}
.lanes .group:first-child{padding-top:0}
svg{display:block;overflow:visible}
svg.lane{--c:var(--control);height:22px;min-height:100%}
svg.lane.clean{--c:var(--clean)}
svg.lane.protected{--c:var(--protected)}
svg.lane.wins{--c:var(--wins)}
.lane .track{stroke:var(--track);stroke-width:2}
.lane .bar{stroke:var(--c);stroke-width:2;opacity:.45}
.lane .whisker{stroke:var(--c);stroke-width:1.5}
.lane .dot{fill:var(--c);stroke:var(--card);stroke-width:1.5}
.lane .mark{stroke:var(--c);stroke-width:2;opacity:.75}
.chance{stroke:var(--ink);stroke-width:1;stroke-dasharray:2 3;opacity:.55}
.many .axis .middle{display:none}
.axis text,.tick{fill:var(--faint);font-size:11px;font-variant-numeric:tabular-nums}
.plot{padding-left:46px;margin-top:10px}
.plot .grid{stroke:var(--hair)}
.across{text-align:center;color:var(--soft);font-size:13px;padding-left:46px;margin-top:4px}
.curve.identity{--c:var(--identity)}
.curve.affiliation{--c:var(--affiliation)}
line.chance.identity{stroke:var(--identity);opacity:.9}
line.chance.affiliation{stroke:var(--affiliation);opacity:.9}
.curve .band{fill:var(--c);opacity:.16}
.curve .line{fill:none;stroke:var(--c);stroke-width:2}
.curve circle{fill:var(--c);stroke:var(--card);stroke-width:1.5}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:14px;width:100%}
caption{text-align:left;color:var(--soft);font-size:13px;padding-bottom:8px}
th,td{text-align:left;padding:7px 12px 7px 0;border-bottom:1px solid var(--hair);
 vertical-align:top}
th{font-weight:550}
thead th{color:var(--soft);font-size:13px;vertical-align:bottom}
td.n,th.n{text-align:right;white-space:nowrap}
tr:last-child>*{border-bottom:0}
table.heat{border-collapse:separate;border-spacing:3px;margin-top:18px}
table.heat td,table.heat th{border:0;padding:8px 10px}
table.heat tbody th{padding-left:0;font-weight:450;width:30%}
table.heat thead th{text-align:center;padding-bottom:4px}
table.heat td{text-align:center;border-radius:5px;white-space:nowrap}
table.heat td small{opacity:.8;font-size:11.5px;margin-left:5px}
table.heat td.empty{color:var(--faint)}
table.heat tr.base>*{border-bottom:6px solid transparent;background-clip:padding-box}
.ramp{display:flex;align-items:center;gap:8px;color:var(--soft);font-size:13px;margin-top:14px;
 flex-wrap:wrap}
.ramp span.steps{display:flex}
.ramp i{width:18px;height:12px}
.rungs{list-style:none;margin-top:8px}
.rungs>li{display:grid;grid-template-columns:minmax(0,5fr) minmax(0,6fr);gap:8px 36px;
 padding:16px 0 16px 16px;border-bottom:1px solid var(--hair);border-left:3px solid transparent}
.rungs>li:last-child{border-bottom:0}
.rungs>li.wins{border-left-color:var(--wins)}
.rungs h3{display:flex;flex-wrap:wrap;gap:4px 10px;align-items:baseline}
.rungs .won{color:var(--wins);font-size:13px;font-weight:600}
.rungs p{color:var(--soft);font-size:14px;line-height:1.45;margin-top:2px}
.rungs .lanes{align-content:start;grid-template-columns:6em minmax(80px,1fr) 3.4em}
.answers td{width:32%}
.answers td:first-child{width:36%}
.answers q{quotes:"\\201c" "\\201d"}
.answers small{display:block;color:var(--faint);font-size:12.5px}
.mark.right{color:var(--right)}
.mark.wrong{color:var(--wins)}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,320px),1fr));
 gap:24px 48px}
.plain{max-width:56em;padding-left:1.15em;display:grid;gap:7px;margin-top:10px}
.plain li::marker{color:var(--faint)}
.stack{display:grid;gap:24px;align-content:start}
.facts{display:grid;grid-template-columns:7.5em minmax(0,1fr);gap:4px 18px;
 font-size:14px;margin-top:10px}
.facts dt{color:var(--soft)}
.facts dd{margin:0;overflow-wrap:anywhere}
details{margin-top:18px;font-size:14px}
summary{cursor:pointer;color:var(--soft);width:max-content;max-width:100%}
summary:hover,summary:focus-visible{color:var(--ink)}
details[open]>summary{margin-bottom:12px}
pre{overflow-x:auto;font:12.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;margin:0;
 white-space:pre-wrap;overflow-wrap:anywhere}
footer{color:var(--faint);font-size:13px;margin-top:28px}
@media(max-width:640px){
 body{font-size:15px}
 main{padding:24px 14px 48px}
 h1{font-size:24px}
 section{padding:20px 16px;margin-top:16px;border-radius:10px}
 .tiles{grid-template-columns:1fr;gap:12px}
 .lanes,.many .lanes{grid-template-columns:minmax(0,8.8em) minmax(70px,1fr) 3.2em;column-gap:10px;
  font-size:13px}
 .rungs>li{grid-template-columns:minmax(0,1fr);padding-left:12px}
 .plot,.across{padding-left:40px}
 .answers thead{display:none}
 .answers tr{display:block;padding:10px 0;border-bottom:1px solid var(--hair)}
 .answers td,.answers td:first-child{display:block;width:auto;border:0;padding:3px 0}
 .answers td[data-label]::before{content:attr(data-label);display:block;color:var(--faint);
  font-size:12.5px}
 table.heat{border-spacing:2px;font-size:12.5px;table-layout:fixed}
 table.heat td,table.heat th{padding:7px 3px}
 table.heat tbody th{width:30%}
 table.heat thead td{width:30%}
 table.heat thead th{font-size:11.5px;line-height:1.3}
 .ramp i{width:14px}
 table.heat td small{display:none}
}
@media print{
 body{background:#fff;font-size:12px}
 main{max-width:none;padding:0}
 section{border:0;padding:0 0 16px;break-inside:auto}
 .panel,.tile,.rungs>li,tr{break-inside:avoid}
 h2,h3{break-after:avoid}
 details::details-content{content-visibility:visible;height:auto}
}
"""


def style() -> str:
    """Returns the style sheet."""
    light = _variables(_LIGHT) + _heat_rules(_HEAT_LIGHT)
    dark = _variables(_DARK) + _heat_rules(_HEAT_DARK)
    schemes = f"{light}@media screen and (prefers-color-scheme:dark){{{dark}}}"
    return f":root{{color-scheme:light dark}}{schemes}{_RULES}"


def _variables(colours: dict[str, str]) -> str:
    return ":root{" + "".join(f"--{name}:{colour};" for name, colour in colours.items()) + "}"


def _heat_rules(ramp: tuple[tuple[int, int, int], ...]) -> str:
    rules = []
    for step in range(HEAT_STEPS):
        red, green, blue = _between(ramp, step / (HEAT_STEPS - 1))
        ink = "#16181c" if _luminance(red, green, blue) > 0.2 else "#ffffff"
        rules.append(f".h{step}{{background:rgb({red},{green},{blue});color:{ink}}}")
    return "".join(rules)


def _between(ramp: tuple[tuple[int, int, int], ...], at: float) -> tuple[int, int, int]:
    place = at * (len(ramp) - 1)
    left = min(int(place), len(ramp) - 2)
    mixed = [
        round(a + (b - a) * (place - left)) for a, b in zip(ramp[left], ramp[left + 1], strict=True)
    ]
    return mixed[0], mixed[1], mixed[2]


def _luminance(*channels: int) -> float:
    """Relative luminance of an sRGB colour (WCAG 2.2)."""
    linear = [
        value / 12.92 if (value := channel / 255) <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for channel in channels
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
