"""HTML and SVG in which no string can become markup by accident."""

from __future__ import annotations

import html

__all__ = ["Markup", "join", "tag"]

_VOID = frozenset(("br", "circle", "line", "link", "meta", "path", "rect"))


class Markup(str):
    """Text that is markup already; every other string is escaped when it is put into a tag."""

    __slots__ = ()


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """Returns an element.

    Args:
        name: the element's name
        *children: texts, which are escaped; :class:`Markup`, which is not; lists of them; None is
            left out
        **attributes: ``class_`` and ``for_`` lose their underscore and others turn it into a
            hyphen; None leaves the attribute out
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_escaped(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID and not children:
        return Markup(f"<{name}{given}/>")
    return Markup(f"<{name}{given}>{join(*children)}</{name}>")


def join(*children: object) -> Markup:
    """Returns texts and markup one after the other; see :func:`tag`."""
    parts: list[str] = []
    for child in children:
        if child is None:
            continue
        if isinstance(child, Markup):
            parts.append(child)
        elif isinstance(child, (list, tuple)):
            parts.append(join(*child))
        else:
            parts.append(_escaped(child))
    return Markup("".join(parts))


def _escaped(value: object) -> str:
    return html.escape(f"{value:g}" if isinstance(value, float) else str(value), quote=True)
