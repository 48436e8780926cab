"""``ledgerpi promote``: make a replica the primary."""

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import Any

import click

from changelog.errors import OutcomeUnknown, Refused
from changelog.reader import Reader
from changelog.views.cluster import shown_epoch
from ops.node import locked, serverdir_option, writer_lives
from ops.printable import printable
from replica import credentials
from replica.config import ReplicaConfig
from replica.create import lacks_copy
from replica.promote import Candidate, Desk, Plan
from replica.tail import open_session
from replica.writer_process import ReplicaService
from server import roles
from server.layout import Layout
from server.submit import Submit

BEGIN_S = 30.0  # for a running node to begin as a primary
LOOK_S = 0.05


@click.command(
    epilog="""\b
Example:
  ledgerpi promote --serverdir /srv/replica --dry-run
  ledgerpi promote --serverdir /srv/replica"""
)
@serverdir_option
@click.option("--dry-run", is_flag=True, help="Only print who would answer and what would be taken over.")
@click.option(
    "--accept-loss",
    is_flag=True,
    help="Take over also where acknowledged writes could be lost: the log goes on under another origin.",
)
@click.option("--primary-ca-file", metavar="FILE", default="", help="Certificates to trust besides the system's.")
def promote(layout: Layout, primary_ca_file: str, *, dry_run: bool, accept_loss: bool) -> None:
    """Make this replica the primary; it may be running or not.

    All members promise to follow nobody of an earlier epoch, then the newest history among them goes on here. Without
    enough answers to be sure that nothing acknowledged is lost, nothing is done.
    """
    asyncio.run(_promote(layout, primary_ca_file, dry_run=dry_run, accept_loss=accept_loss))


async def _promote(layout: Layout, ca_file: str, *, dry_run: bool, accept_loss: bool) -> None:
    if roles.of_node(layout) == roles.PRIMARY:
        raise Refused("this node is the primary already")
    async with AsyncExitStack() as at_end:
        desk, reader = _opened(layout, at_end)
        session = await at_end.enter_async_context(open_session(ca_file))
        candidate = Candidate(desk, reader, session, credentials.read(layout, reader))
        plan = await candidate.plan()
        for text in _told(plan):
            click.echo(printable(text))
        if dry_run:
            return
        epoch = await candidate.promote(plan, accept_loss=accept_loss)
        if isinstance(desk, Submit):
            await _has_begun(desk)
        click.echo(f"this node is the primary of epoch {epoch}")


def _opened(layout: Layout, at_end: AsyncExitStack) -> tuple[Desk, Reader]:
    """Return the node's writer, or what stands in for it, and what reads its log."""
    if writer_lives(layout):
        line, reader = Submit(layout.socket), Reader(layout.changelog)
        at_end.callback(line.close)
        at_end.callback(reader.close)
        return line, reader
    at_end.enter_context(locked(layout))
    if lacks_copy(ReplicaConfig(layout.serverdir)):
        raise click.ClickException("the log of this node is not copied to its end yet; start the node first")
    here = _Here(layout)
    at_end.callback(here.service.close)
    return here, here.reader


async def _has_begun(writer: Submit) -> None:
    """Return when the node runs as a primary."""
    async with asyncio.timeout(BEGIN_S):
        while True:
            with suppress(OutcomeUnknown):  # between two processes
                if (await writer.ask("role"))[0] == roles.PRIMARY:
                    return
            await asyncio.sleep(LOOK_S)


class _Here:
    """The writer of a node that does not run, in this process."""

    def __init__(self, layout: Layout) -> None:
        self.service = ReplicaService(ReplicaConfig(layout.serverdir))
        self.service.on_role_change = lambda: None
        self.reader = _Snapshots(self.service)

    async def ask(self, kind: str, *items: Any) -> tuple[Any, ...]:  # noqa: ANN401 - as the writer's messages
        return await self.service.answers[kind](*items)


class _Snapshots(Reader):
    """Snapshots of an environment that this process has open to write."""

    def __init__(self, service: ReplicaService) -> None:
        self._env = service.env


def _told(plan: Plan) -> list[str]:
    """Return a plan as operators read it."""
    lines = [f"epoch {shown_epoch(plan.epoch)} would begin behind {shown_epoch(plan.best.epoch)}:{plan.best.size}"]
    for number, answer in sorted(plan.answers.items()):
        lines.append(f"  {plan.names[number]} answers: it has {shown_epoch(answer.epoch)}:{answer.size}")
    lines += [f"  {reason}" for _, reason in sorted(plan.silent.items())]
    lines += [f"  missing: {missing}" for missing in plan.missing]
    return lines
