"""What is uploaded to the primaries: projects of ten wheels, each upload an entry; and new wheels to wait for."""

from collections.abc import Iterator
from hashlib import sha256
from itertools import islice

from attrs import frozen

from ops.bench import corpus

_TEN = 10  # files of a project


@frozen
class Plan:
    """How much of everything a run has."""

    uploads: int  # that a new replica copies
    awaited: int  # uploads that are waited for at ours
    awaited_devpi: int
    followers: int  # streams
    followed: int  # uploads while they follow


FULL = Plan(uploads=5_000, awaited=500, awaited_devpi=100, followers=50, followed=2_000)
QUICK = Plan(uploads=300, awaited=40, awaited_devpi=10, followers=10, followed=200)


@frozen
class Copied:
    """A file that a replica has to have in the end."""

    path: str  # of its URL
    sha256: bytes


def loaded(plan: Plan) -> Iterator[corpus.Release]:
    """Yield what is there before any replica is."""
    return series("copied", plan.uploads)


def series(name: str, count: int) -> Iterator[corpus.Release]:
    """Yield *count* releases of projects called *name*, ten files each."""
    projects = (f"{name}-{number:04}" for number in range(-(-count // _TEN)))
    everything = (release for project in projects for release in corpus.of_project(corpus.DEV, project, _TEN))
    return islice(everything, count)


def copied(release: corpus.Release) -> Copied:
    """Return where both servers have the wheel of *release*."""
    digest = sha256(corpus.wheel(release))
    name = digest.hexdigest()
    return Copied(f"/{release.index}/+f/{name[:3]}/{name[3:16]}/{release.filename}", digest.digest())
