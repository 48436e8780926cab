"""JSON answers in devpi's envelope."""

import json
from typing import Any

from aiohttp import web


def enveloped(kind: str, result: Any, *, message: str = "", status: int = 200) -> web.Response:  # noqa: ANN401
    """Return ``{"type": kind, "result": result}`` with a message if there is one."""
    body: dict[str, Any] = {"result": result, "type": kind}
    return plain(body | ({"message": message} if message else {}), status)


def message(text: str, status: int = 200) -> web.Response:
    """Return ``{"message": text}``."""
    return plain({"message": text}, status)


def plain(body: object, status: int = 200) -> web.Response:
    """Return indented JSON with a newline at the end, as devpi does."""
    return web.Response(
        status=status,
        body=(json.dumps(body, indent=2) + "\n").encode(),
        content_type="application/json",
        headers={"Cache-Control": "no-cache"},
    )
