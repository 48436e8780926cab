"""A worker's line to the writer."""

from collections.abc import Sequence
from pathlib import Path

from changelog.records import Record
from changelog.writer import Already, Committed
from server import durability
from server.commands import Caller, Command, Request
from server.line import Line


class Submit(Line):
    """Sends commands."""

    def __init__(self, socket: Path) -> None:
        """Talk to the writer that listens at *socket*."""
        super().__init__(socket, "writer")

    async def __call__(
        self,
        caller: Caller,
        command: Command,
        records: Sequence[Record] = (),
        contents: Sequence[tuple[bytes, bytes]] = (),
    ) -> Committed | Already:
        """Have *command* carried out; a snapshot begun after this returned sees it.

        Raises:
            LedgerpiError: it was refused.
            NotReplicated: it was carried out, and not so many voters have it yet as were wanted.
            OutcomeUnknown: the writer ended before it answered.
        """
        request = Request(caller, command, tuple(records), tuple(contents), durability.wanted.get())
        kind, *serials = await self.ask("commit", request.plain())
        return Committed(*serials) if kind == "committed" else Already(*serials)
