"""A worker of a replica: the primary's own read path; what changes something is sent on."""

from attrs import evolve

from changelog.reader import Reader
from replica import credentials
from replica.config import ReplicaConfig, config_of
from replica.fetching import FetchingLine
from replica.forward import Forward
from replica.mirrors import ReplicaMirrors
from replica.primary import Primary
from replica.staleness import Staleness
from replica.standing import Standing
from replica.through import Through
from server.auth import Auth
from server.child import Start
from server.parts import Parts
from server.worker import make_parts, run


def make_replica_parts(start: Start) -> Parts:
    """Open everything that a replica's worker needs; made inside the loop."""
    config = config_of(start)
    layout = config.layout
    reader = Reader(layout.changelog, config.map_size)
    shown = credentials.read(layout, reader)
    reader.close()  # a process opens one folder once
    primary = Primary(config, shown)
    parts = make_parts(config, start.name, lambda reader, news: ReplicaMirrors(config, primary, reader, news))
    parts = evolve(
        parts,
        member=shown.name,
        forward=Forward(config, primary, shown),
        through=Through(config, shown),
        standing=Standing(config),
        fetching=FetchingLine(config),
    )
    return parts if config.max_age_s is None else _bounded(config, parts, config.max_age_s)


def _bounded(config: ReplicaConfig, parts: Parts, max_age_s: float) -> Parts:
    """Return *parts* of a node whose copy may not be of any age."""
    staleness = Staleness(config, max_age_s)
    auth = Auth(parts.reader, parts.submit, config.password_memory_s, staleness.check, config.restrict_modify)
    return evolve(parts, staleness=staleness, auth=auth)


def main(start: Start) -> None:
    """Run a worker of a replica."""
    run(make_replica_parts, start)
