"""``ledgerpi verify``: check a whole node, and repair what can be made anew."""

import json
import signal
import subprocess
import sys
from typing import Any

import attrs
import click

from changelog.verify import Kind, Report, verify_node
from changelog.verify.report import MAX_FINDINGS
from ops import progress
from ops.node import locked, serverdir_option, writer_lives
from ops.printable import printable
from server.layout import Layout

SETTLED_S = 3_600.0  # a running node may yet name files younger than this


@click.command(
    epilog="""\b
Example:
  ledgerpi verify --serverdir /srv/ledgerpi
  ledgerpi verify --serverdir /srv/ledgerpi --json | jq .clean"""
)
@serverdir_option
@click.option("--repair", is_flag=True, help="Remove orphans, fold damaged views anew.")
@click.option("--no-blobs", is_flag=True, help="Do not look at files; much faster.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--in-process", is_flag=True, help="Check in this process; damaged pages of LMDB may end it.")
@click.pass_context
def verify(  # noqa: PLR0913 - click hands over each option by name
    context: click.Context, layout: Layout, *, repair: bool, no_blobs: bool, as_json: bool, in_process: bool
) -> None:
    """Check entries, tree, signed head, views, private records and files.

    A node may be running meanwhile, but not for --repair. Exit codes: 0 nothing is wrong (orphans
    are told, but harm nothing), 1 something is, 2 the command line is.
    """
    if not in_process:
        context.exit(_in_child(layout, as_json=as_json))
    with progress.shown(quiet=as_json) as shown:
        if repair:
            with locked(layout):
                report = verify_node(layout, progress=shown, repair=True, blobs=not no_blobs)
        else:
            settled_s = SETTLED_S if writer_lives(layout) else 0.0
            report = verify_node(layout, progress=shown, blobs=not no_blobs, settled_s=settled_s)
    click.echo(json.dumps(_plain(report)) if as_json else "\n".join(_lines(report)))
    context.exit(0 if report.clean else 1)


def _in_child(layout: Layout, *, as_json: bool) -> int:
    """Check in a child process and return its exit code: LMDB ends a process that reads badly damaged pages."""
    code = subprocess.run([sys.executable, *sys.argv, "--in-process"], check=False).returncode  # noqa: S603 - this program
    if code >= 0:
        return code
    report = Report()
    report.add(Kind.STORAGE, layout.changelog, f"LMDB ended the process that read it ({signal.Signals(-code).name})")
    click.echo(json.dumps(_plain(report)) if as_json else "\n".join(_lines(report)))
    return 1


def _plain(report: Report) -> dict[str, Any]:
    return {"clean": report.clean, **attrs.asdict(report)}


def _lines(report: Report) -> list[str]:
    """Return the report as people read it."""
    lines = [
        f"{finding.kind}: {printable(finding.subject)}: {printable(finding.message)}" for finding in report.findings
    ]
    for kind, number in report.counts.items():
        if number > MAX_FINDINGS:
            lines.append(f"{kind}: and {number - MAX_FINDINGS} more")
    lines += [f"repaired: {number} of kind {kind}" for kind, number in report.repaired.items()]
    lines += [f"note: {note}" for note in report.notes]
    if report.found(Kind.ORPHAN):
        lines.append("note: orphans harm nothing; --repair removes them")
    looked_at = ", ".join(f"{number} {what}" for what, number in report.checked.items())
    lines.append(f"{'nothing is wrong' if report.clean else 'DAMAGED'}: checked {looked_at}")
    return lines
