"""A worker of a primary that was a replica: files that it has yet to fetch come from other members."""

from attrs import evolve

from replica.config import config_of
from replica.fetching import FetchingLine
from server.child import Start
from server.parts import Parts
from server.worker import make_parts, run


def make_primary_parts(start: Start) -> Parts:
    """Open everything that such a worker needs; made inside the loop."""
    config = config_of(start)
    return evolve(make_parts(config, start.name), fetching=FetchingLine(config))


def main(start: Start) -> None:
    """Run such a worker."""
    run(make_primary_parts, start)
