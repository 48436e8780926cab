"""When tokens were last used on this node: workers tell the writer now and then, which keeps it in one small file.

No part of the history: it is another on every node, and can be lost at any time. What a crash loses is at most what
was used in the last seconds.
"""

import asyncio
import json
import time
from collections.abc import Iterable
from pathlib import Path

from changelog.errors import LedgerpiError
from server.submit import Submit

TOLD_AFTER_S = 1.0  # from a use until the writer is told, with all others of that time
AGAIN_S = 60  # a token in use is told of so often
MAX_KEPT = 20_000  # tokens in the file
WRITTEN_AFTER_S = 3.0  # from then until it is in the file


class Uses:
    """What a worker saw used and has yet to tell."""

    def __init__(self, submit: Submit) -> None:
        """Tell the writer through *submit*."""
        self._submit = submit
        self._told: dict[str, int] = {}  # token: seconds since 1970
        self._new: dict[str, int] = {}
        self._telling: asyncio.Task[None] | None = None

    def note(self, token: str) -> None:
        """Note that a token is used now, "" = none is."""
        now = int(time.time())
        if not token or now < self._told.get(token, 0) + AGAIN_S:
            return
        self._told[token] = self._new[token] = now
        if self._telling is None or self._telling.done():
            self._telling = asyncio.ensure_future(self._tell())

    async def _tell(self) -> None:
        await asyncio.sleep(TOLD_AFTER_S)
        told, self._new = self._new, {}
        try:
            await self._submit.ask("used", list(told.items()))
        except LedgerpiError:  # the writer is being restarted: these uses are not known
            return


class LastUses:
    """The file of them, as the writer of the node has it."""

    def __init__(self, path: Path) -> None:
        """Keep them in *path*, whose folder is there when the first comes."""
        self._path = path
        self._at = read(path)
        self._timer: asyncio.TimerHandle | None = None

    def take(self, uses: Iterable[tuple[str, int]]) -> None:
        """Note uses, and write them soon."""
        for token, at in uses:
            self._at[token] = max(at, self._at.get(token, 0))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(WRITTEN_AFTER_S, self.write)

    def write(self) -> None:
        """Write what is not written yet."""
        if self._timer is None:
            return
        self._timer.cancel()
        self._timer = None
        new = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            newest = sorted(self._at.items(), key=lambda use: use[1])[-MAX_KEPT:]
            new.write_text(json.dumps(dict(newest)))
            new.replace(self._path)
        except OSError:  # a full disk; the next use tries again
            return


def read(path: Path) -> dict[str, int]:
    """Return when tokens were last used, seconds since 1970; nothing if the file is not there or not whole."""
    try:
        plain = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(plain, dict):
        return {}
    return {token: at for token, at in plain.items() if isinstance(at, int)}
