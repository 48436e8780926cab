"""A worker of a primary that was a replica: files that it has yet to fetch come from other members."""

from typing import Any

from attrs import evolve

from replica.config import ReplicaConfig
from replica.fetching import FetchingLine
from server.parts import Parts
from server.worker import make_parts, run


def make_primary_parts(plain: dict[str, Any], name: str) -> Parts:
    """Open everything that such a worker needs; made inside the loop."""
    config = ReplicaConfig.of(plain)
    return evolve(make_parts(config, name), fetching=FetchingLine(config))


if __name__ == "__main__":
    run(make_primary_parts)
