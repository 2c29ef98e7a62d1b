"""Logos are SVG from elsewhere: only shapes and text are let through, nothing that runs or loads anything."""

from __future__ import annotations

import re
from xml.etree import ElementTree

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
MAXIMUM_BYTES = 64 * 1024
MAXIMUM_ELEMENTS = 2_000
MAXIMUM_DEPTH = 40
SHAPES = {"path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "tspan", "title", "desc"}
STRUCTURE = {"svg", "g", "defs", "symbol", "use", "marker", "style"}
PAINT = {"linearGradient", "radialGradient", "stop", "clipPath", "mask", "pattern", "filter"}
EFFECTS = {f"fe{name}" for name in ("GaussianBlur", "Offset", "Blend", "ColorMatrix", "Composite", "Flood", "Merge")}
ELEMENTS = frozenset(SHAPES | STRUCTURE | PAINT | EFFECTS | {"feMergeNode", "feDropShadow"})
LEFT_OUT = frozenset({"metadata"})
"""Left out without a word, as is everything of other namespaces: drawing programs write it."""

ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", XLINK)
_DOCTYPE = re.compile(r"<!DOCTYPE[^\[<>]*>")
_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
_URL = re.compile(r"url\((?!\s*['\"]?\s*#)", re.IGNORECASE)
_CSS = re.compile(r"@|\\|expression\s*\(|-moz-binding|behavior\s*:|javascript:", re.IGNORECASE)


class UnsafeSvg(ValueError):
    """An SVG that is not taken; `code` says why: `logo_no_svg`, `logo_too_large` or `logo_unsafe` with the part."""

    def __init__(self, code: str, part: str = "") -> None:
        super().__init__(f"{code} {part}".strip())
        self.code = code
        self.part = part[:60]


def sanitised(text: str) -> str:
    """The SVG without what drawing programs add; the same again for its own answer. Raises UnsafeSvg."""
    if len(text.encode("utf-8", "surrogatepass")) > MAXIMUM_BYTES:
        raise UnsafeSvg("logo_too_large")
    text = _DOCTYPE.sub("", _DECLARATION.sub("", text))
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise UnsafeSvg("logo_unsafe", "<!DOCTYPE>")
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 without a DTD there are no entities, and the size is bounded
    except (ElementTree.ParseError, ValueError):
        raise UnsafeSvg("logo_no_svg") from None
    if root.tag != f"{{{SVG}}}svg":
        raise UnsafeSvg("logo_no_svg")
    if sum(1 for _ in root.iter()) > MAXIMUM_ELEMENTS:
        raise UnsafeSvg("logo_too_large")
    _clean(root, 1)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=False)


def _clean(element: ElementTree.Element, depth: int) -> None:
    if depth > MAXIMUM_DEPTH:
        raise UnsafeSvg("logo_too_large")
    _, name = _name(element.tag)
    if name not in ELEMENTS:
        raise UnsafeSvg("logo_unsafe", f"<{name}>")
    for attribute, value in list(element.attrib.items()):
        space, local = _name(attribute)
        if space in {"", XLINK}:
            _check_attribute(local, value)
        else:
            del element.attrib[attribute]
    if name == "style" and (element.text is not None) and (_URL.search(element.text) or _CSS.search(element.text)):
        raise UnsafeSvg("logo_unsafe", "<style>")
    for child in list(element):
        space, local = _name(child.tag)
        if space != SVG or local in LEFT_OUT:
            element.remove(child)
        else:
            _clean(child, depth + 1)


def _check_attribute(name: str, value: str) -> None:
    loads = name == "href" and not value.strip().startswith("#")
    runs = name.lower().startswith("on")
    styles = bool(_URL.search(value)) or (name == "style" and bool(_CSS.search(value)))
    if loads or runs or styles or "javascript:" in value.lower():
        raise UnsafeSvg("logo_unsafe", name)


def _name(tag: object) -> tuple[str, str]:
    """Namespace and local name; comments and processing instructions have neither."""
    if not isinstance(tag, str):
        return "comment", ""
    namespace, brace, local = tag[1:].partition("}") if tag.startswith("{") else ("", "", tag)
    return (namespace, local) if brace else ("", tag)
