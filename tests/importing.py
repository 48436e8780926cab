"""Importing a dump in this process, and looking at what came of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import frozen
from click.testing import CliRunner

from changelog import log
from changelog.codec import Event, decode
from changelog.env import Env
from changelog.events.files import FileUploaded
from changelog.fold import VIEW_TABLES
from changelog.verify import verify_node
from ops.cli import main
from server.create import create_node
from server.layout import Layout
from server.passwords import hashed


@frozen
class Imported:
    """What an import said and did."""

    code: int
    counts: dict[str, int]
    findings: list[dict[str, str]]
    layout: Layout

    def said(self, outcome: str) -> str:
        """Return the findings of one outcome as a text."""
        return "\n".join(f"{one['what']}: {one['reason']}" for one in self.findings if one["outcome"] == outcome)

    def events(self) -> list[Event]:
        """Return all events of the log."""
        env = Env(self.layout.changelog, VIEW_TABLES, readonly=True)
        try:
            with env.read() as store:
                return [decode(raw, serial)[0] for serial, raw in log.entries(store)]
        finally:
            env.close()

    def look(self, read: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - what *read* returns
        """Return what *read* finds in a snapshot."""
        env = Env(self.layout.changelog, VIEW_TABLES, readonly=True)
        try:
            with env.read() as store:
                return read(store)
        finally:
            env.close()

    def uploads(self) -> list[FileUploaded]:
        """Return the uploads of the log."""
        return [event for event in self.events() if isinstance(event, FileUploaded)]


def new_node(folder: Path) -> Layout:
    """Make a node as ``ledgerpi init`` does."""
    layout = Layout(folder)
    create_node(layout, hashed("first"))
    return layout


def attempt(layout: Layout, dump: Path, *options: str) -> Imported:
    """Import *dump* in this process."""
    report = layout.serverdir.with_suffix(".json")
    words = ["import-devpi", "--serverdir", layout.serverdir, "--processes", 1, "--report", report, *options, dump]
    done = CliRunner().invoke(main, [str(word) for word in words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert report.exists(), done.output
    told = json.loads(report.read_text())
    found = verify_node(layout)
    assert not found.findings, found.findings
    return Imported(done.exit_code, told["counts"], told["findings"], layout)


def refusal(layout: Layout, dump: Path) -> str:
    """Return why *dump* is refused."""
    words = ["import-devpi", "--serverdir", str(layout.serverdir), "--processes", "1", str(dump)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 1, done.output
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.output
