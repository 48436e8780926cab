"""A link over which no large batch ever comes whole."""

from pathlib import Path

from tests.following import check_copy, new_replica, status, wait_until_equal
from tests.http.client import Client, wheel
from tests.links import Link, Weather
from tests.processes import new_node

CUT_WITHIN = 24_000  # bytes of each connection
COUNT = 150  # uploads, some 500 bytes each


def test_a_log_comes_over_a_link_that_breaks_amid_each_large_batch(tmp_path: Path) -> None:
    primary = new_node(tmp_path, stages=("root/dev",), workers=1).start()
    root = Client(primary.url, "root", "secret")
    for number in range(COUNT):
        assert root.upload("root/dev", wheel(f"short{number}")).status_code == 200
    with Link(primary.url) as link:
        link.weather = Weather(cut_within=CUT_WITHIN)
        replica = new_replica(primary, tmp_path, ("--files", "lazy"), via=link.url, workers=1)
        try:
            assert status(replica.start())["serial"] > COUNT
            wait_until_equal(primary, replica)
            check_copy(primary, replica)
        finally:
            root.close()
            replica.kill()
            primary.kill()
