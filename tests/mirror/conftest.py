"""One upstream and one node for each file of tests; a file's ARGS are options of its node."""

from collections.abc import Iterator

import pytest

from tests.mirror.site import Site, running
from tests.upstream.server import Upstream, upstream


@pytest.fixture(scope="module")
def up() -> Iterator[Upstream]:
    """An index that the tests of a file control."""
    with upstream() as made:
        yield made


@pytest.fixture(scope="module")
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, up: Upstream) -> Iterator[Site]:
    """A node that mirrors it."""
    args = getattr(request.module, "ARGS", ())
    with running(tmp_path_factory.mktemp("mirror"), up, *args) as made:
        yield made
