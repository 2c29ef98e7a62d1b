"""Headers that every answer has: what the browser may load, frame, store and tell others."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.responses import Response

STANDARD = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
HSTS = "max-age=63072000; includeSubDomains"


def policy(nonce: str, *, frame_ancestors: Iterable[str] = (), form_targets: Iterable[str] = ()) -> str:
    """A Content-Security-Policy: only what is ours, no inline code but the design's colours with their nonce."""
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            f"style-src 'self' 'nonce-{nonce}'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "frame-src 'self'",
            "base-uri 'none'",
            " ".join(["form-action 'self'", *form_targets]),
            " ".join(["frame-ancestors", *(frame_ancestors or ("'none'",))]),
        ]
    )


def protect(response: Response, content_policy: str, *, secure: bool, framed: bool) -> None:
    """Sets what the page has not set itself."""
    headers = response.headers
    for name, value in STANDARD.items():
        headers.setdefault(name, value)
    headers.setdefault("Content-Security-Policy", content_policy)
    headers.setdefault("Cache-Control", "private, no-store")
    if not framed:
        headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        headers.setdefault("X-Frame-Options", "DENY")
    if secure:
        headers.setdefault("Strict-Transport-Security", HSTS)
