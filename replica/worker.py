"""A worker of a replica: the primary's own read path; what changes something is sent on."""

from typing import Any

from attrs import evolve

from replica.config import ReplicaConfig
from replica.create import read_token
from replica.fetching import FetchingLine
from replica.forward import Forward
from replica.standing import Standing
from server.parts import Parts
from server.worker import make_parts, run


def make_replica_parts(plain: dict[str, Any], name: str) -> Parts:
    """Open everything that a replica's worker needs; made inside the loop."""
    config = ReplicaConfig(**plain)
    parts = make_parts(config, name)
    return evolve(
        parts,
        member=read_token(config.layout).name,
        forward=Forward(config),
        standing=Standing(config, parts.reader),
        fetching=FetchingLine(config),
    )


if __name__ == "__main__":
    run(make_replica_parts)
