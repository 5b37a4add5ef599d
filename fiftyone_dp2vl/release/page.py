"""An audit as one page of HTML: nothing is loaded from elsewhere, every string is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from .report import CODES, AuditReport, PictureFigures

__all__ = ["audit_page"]

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}
.verdict{padding:.8rem 1rem;border-radius:.4rem;font-weight:600}
.passed{background:#e3f4e6}.failed{background:#fbe3e1}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}
td.number{text-align:right;font-variant-numeric:tabular-nums}code{overflow-wrap:anywhere}
"""

_SHOWN_PICTURES = 2000
_ABSENT, _TIMES = "\N{EN DASH}", "\N{MULTIPLICATION SIGN}"


def audit_page(report: AuditReport) -> str:
    """Returns the page.

    Args:
        report: the audit's
    """
    state = "passed" if report.passed else "failed"
    parts = [
        "<!doctype html><html lang=en><head><meta charset=utf-8>",
        "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; "
        "style-src 'unsafe-inline'\">",
        f"<title>Release audit: {state}</title><style>{_STYLE}</style></head><body>",
        "<h1>Release audit</h1>",
        f"<p class='verdict {state}'>{_text(state.capitalize() + ': ' + report.summary())}</p>",
        _facts(report),
    ]
    if report.findings:
        rows = [
            (f.code, CODES.get(f.code, ""), f.file, f.message)
            for f in sorted(report.findings, key=lambda f: (f.code, f.file))
        ]
        parts += ["<h2>Findings</h2>", _table(("code", "what it is", "file", "finding"), rows)]
    if report.notes:
        parts += ["<h2>Notes</h2><ul>", *(f"<li>{_text(note)}</li>" for note in report.notes)]
        parts.append("</ul>")
    parts += ["<h2>Pictures</h2>", _pictures(report)]
    parts.append(
        "<p>The JSON beside this page ends in a seal: a checksum of itself without a key. It shows "
        "that the report was changed by accident. It does not show who made it: whoever edits the "
        "report on purpose can seal it anew, so take a report from somebody you trust, or audit "
        "the folder yourself.</p>"
    )
    parts.append(
        "<p>This audit says what was looked for and found. It is empirical protection against the "
        "attackers that were tested, and no promise about others.</p></body></html>\n"
    )
    return "\n".join(parts)


def _facts(report: AuditReport) -> str:
    checks = ", ".join(f"{name} {count}" for name, count in report.checks.items())
    versions = ", ".join(f"{name} {number}" for name, number in report.versions.items())
    rows = [
        ("date", report.date),
        ("signed off by", report.signed_off_by or "nobody"),
        ("files, all together", f"{report.files}, SHA-256 {report.tree_sha256}"),
        ("held against", f"{report.originals} originals, budget {report.epsilon:g}/255"),
        ("surrogates", ", ".join(report.encoders) or "none"),
        ("without protection, confirmed", str(report.unprotected)),
        ("checks", checks),
        ("versions", versions),
    ]
    return _table(("", ""), rows)


def _pictures(report: AuditReport) -> str:
    heads = ["file", "size", "L∞", *(f"shift left, {name}" for name in report.encoders)]
    shown = report.pictures[:_SHOWN_PICTURES]
    table = _table(heads, [_row(picture, report.encoders) for picture in shown])
    more = len(report.pictures) - len(shown)
    return table + (f"<p>and {more} more, see the JSON beside this page</p>" if more else "")


def _row(picture: PictureFigures, encoders: Sequence[str]) -> list[str]:
    shift = [
        f"{picture.shift[name]:.0%}" if name in picture.shift else _ABSENT for name in encoders
    ]
    if not picture.protected:
        shift = ["not protected"] * len(encoders)
    change = _ABSENT if picture.linf is None else str(picture.linf)
    return [picture.file, f"{picture.width} {_TIMES} {picture.height}", change, *shift]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{_text(name)}</th>" for name in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _text(value: str) -> str:
    # what is not text on any system, such as half a surrogate pair, is shown as a question mark
    return escape(value.encode("utf-8", "replace").decode(), quote=True)
