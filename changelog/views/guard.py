"""The guard against dependency confusion: which indexes may say something about a project.

A project that a stage has is never asked of a mirror, unless ``mirror_whitelist`` names it (or ``*``). The lists of
all stages in the order count together, as ``mirror_whitelist_inheritance`` of the index that is asked says.
"""

from collections.abc import Container, Sequence

from attrs import evolve, frozen

from changelog.names import IndexName, ProjectName
from changelog.tables import Store
from changelog.views import indexes, projects
from changelog.views.indexes import MIRROR, Index
from changelog.views.pages import Source

EVERYTHING = "*"
INTERSECTION, UNION = "intersection", "union"


@frozen
class Order:
    """The indexes that a read of one asks, first to be asked first: stages, then mirrors."""

    sources: tuple[Source, ...]
    mirrors: tuple[Source, ...]  # among the sources
    stages: tuple[Source, ...]  # whose projects are not asked of mirrors, also those that are no sources
    allowed: frozenset[str]  # names that mirrors may have though a stage has them; "*" = all

    def without(self, hidden: Container[Source]) -> "Order":
        """Return what is asked for who may not read the *hidden* ones; these guard their projects all the same."""
        sources = tuple(source for source in self.sources if source not in hidden)
        return evolve(self, sources=sources, mirrors=tuple(one for one in self.mirrors if one not in hidden))


def order(store: Store, index: IndexName) -> Order:
    """Return what a read of *index* asks; no sources if there is no such index."""
    return order_of(indexes.resolution(store, index))


def order_of(rows: Sequence[tuple[IndexName, Index]]) -> Order:
    """Return the same of the *rows* that :func:`changelog.views.indexes.resolution` returns."""
    sources = tuple((name, row.incarnation) for name, row in rows)
    stages = [row for _, row in rows if row.type != MIRROR]
    return Order(sources, sources[len(stages) :], sources[: len(stages)], _allowed(stages))


def owners(store: Store, asked: Order, project: ProjectName) -> list[Source]:
    """Return the stages that have the project."""
    return [source for source in asked.stages if projects.find(store, source[1], project) is not None]


def visible(store: Store, asked: Order, project: ProjectName) -> tuple[Source, ...]:
    """Return the indexes that may say something about *project*: mirrors only where the guard lets them."""
    if not asked.mirrors or is_allowed(asked, project) or not owners(store, asked, project):
        return asked.sources
    return asked.sources[: -len(asked.mirrors)]


def is_allowed(asked: Order, project: ProjectName) -> bool:
    """Return whether the whitelists name the project."""
    return EVERYTHING in asked.allowed or project in asked.allowed


def _allowed(stages: list[Index]) -> frozenset[str]:
    """Return the whitelists of *stages* together; ``*`` in an intersection leaves the other list as it is."""
    if not stages:
        return frozenset()
    union = stages[0].option("mirror_whitelist_inheritance", INTERSECTION) == UNION
    allowed, *others = [_whitelist(row) for row in stages]
    for other in others:
        allowed = allowed | other if union else _intersection(allowed, other)
    return allowed


def _intersection(one: frozenset[str], other: frozenset[str]) -> frozenset[str]:
    if EVERYTHING in one:
        return other
    return one if EVERYTHING in other else one & other


def _whitelist(row: Index) -> frozenset[str]:
    names = row.option("mirror_whitelist", ())
    return frozenset(names) if isinstance(names, tuple) else frozenset()
