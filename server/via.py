"""Which nodes a request has passed: two replicas that follow each other would hand it on for ever."""

from collections.abc import Mapping
from contextvars import ContextVar

from changelog.errors import Unavailable

VIA = "X-Ledgerpi-Via"  # names of nodes, a comma and a space between them

passed: ContextVar[str] = ContextVar("passed", default="")  # by the request under way


def note(headers: Mapping[str, str], own: str) -> None:
    """Note which nodes handed a request with *headers* on.

    Raises:
        Unavailable: the node *own* is among them.
    """
    names = headers.get(VIA, "")
    if names and own in names.split(", "):
        raise Unavailable("no primary is there: the nodes that were asked follow each other")
    passed.set(names)


def with_own(own: str) -> dict[str, str]:
    """Return the header of a request that the node *own* hands on, or sends to answer the one under way."""
    names = passed.get()
    return {VIA: f"{names}, {own}" if names else own}
