"""The command: ``python -m ops.bench``; see README.md beside this file."""

import os
import signal
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TypeVar

import click
from attrs import evolve

from ops.bench import (
    big,
    corpus,
    importing,
    mirror,
    mirror_bars,
    replica_bars,
    replica_million,
    replicas,
    report,
    rounds,
)
from ops.bench.bars import Bar, bars
from ops.bench.figures import Figures
from ops.bench.processes import BenchError

W = TypeVar("W", rounds.Wish, mirror.Wish, replicas.Wish)
_CACHE = Path(__file__).resolve().parents[2] / ".bench"
_FULL = rounds.Wish(corpus.FULL, rounds=3, window_s=2.0, upload_limit_s=4.0)
_QUICK = rounds.Wish(corpus.QUICK, rounds=1, window_s=1.0, upload_limit_s=1.0)


@click.command()
@click.option("--quick", is_flag=True, help="A small corpus and one round, to check the plumbing.")
@click.option("--big", "is_big", is_flag=True, help="100,000 files and projects, ledgerpi only.")
@click.option("--mirror", "is_mirror", is_flag=True, help="Mirrors of a local upstream, proxpi among them.")
@click.option("--replicas", "is_replicas", is_flag=True, help="New replicas; with --big, of a million entries.")
@click.option("--import", "is_import", is_flag=True, help="A dump into both, beside devpi-import.")
@click.option("--rows", "pattern", default="*", show_default=True, help="Rows to run, as in a shell.")
@click.option("--rounds", "count", type=click.IntRange(1), help="Default: 3, with --quick 1.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write all figures here.")
def main(  # noqa: PLR0913 - one for each option
    *,
    quick: bool,
    is_big: bool,
    is_mirror: bool,
    is_replicas: bool,
    is_import: bool,
    pattern: str,
    count: int | None,
    json_file: Path | None,
) -> None:
    """Compare ledgerpi with devpi-server and nginx on this machine."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stopped)  # the servers are ended on the way out
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # installed programs have their bytecode beside them
    _make_cache()
    say = partial(click.echo, err=True)
    try:
        if is_big and is_replicas:
            entries = replica_million.QUICK if quick else replica_million.FULL
            figures, judged = replica_million.run(_CACHE, entries, say), replica_million.bars()
        elif is_import:
            plan = importing.QUICK if quick else importing.FULL
            figures, judged = importing.run(_CACHE, plan, say), importing.bars()
        elif is_replicas:
            of_replicas = _asked(replicas.QUICK_WISH if quick else replicas.FULL_WISH, pattern, count)
            figures, judged = replicas.run(of_replicas, _CACHE, say), replica_bars.bars()
        elif is_big:
            figures, judged = big.run(_CACHE, big.QUICK if quick else big.FULL, say), big.bars()
        elif is_mirror:
            of_mirrors = _asked(mirror.QUICK_WISH if quick else mirror.FULL_WISH, pattern, count)
            figures, judged = mirror.run(of_mirrors, _CACHE, say), mirror_bars.bars()
        else:
            figures, judged = rounds.run(_asked(_QUICK if quick else _FULL, pattern, count), _CACHE, say), bars()
    except BenchError as error:
        raise click.ClickException(str(error)) from error
    if quick:
        click.echo("A small corpus: this checks the plumbing; the bars are meant for the full one.")
    _print(figures, list(judged), json_file)


def _asked(wish: W, pattern: str, count: int | None) -> W:
    return evolve(wish, pattern=pattern, rounds=count or wish.rounds)


def _print(figures: Figures, judged: Iterable[Bar], json_file: Path | None) -> None:
    click.echo(report.text(figures, judged))
    if json_file:
        report.write_json(figures, judged, json_file)


def _make_cache() -> None:
    """Make the folder for environments and loaded servers; git ignores it by its own word."""
    _CACHE.mkdir(exist_ok=True)
    (_CACHE / ".gitignore").write_text("*\n")


def _stopped(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)  # as a shell reports it


if __name__ == "__main__":
    main()
