"""A refresh by hand: it asks upstream now, whoever asks already."""

import time
from concurrent.futures import ThreadPoolExecutor

from tests.mirror.site import Site, fresh
from tests.upstream import faults, files
from tests.upstream.reply import Gate
from tests.upstream.server import Upstream


def test_a_refresh_asks_anew_while_an_older_question_is_under_way(site: Site, up: Upstream) -> None:
    index, name, gate = site.mirror(mirror_cache_expiry=3600), fresh("anew"), Gate()
    up.put(files.wheel(name, "1.0"))
    where = f"*/{name}/"
    up.fail(where, faults.stalls(10, gate), times=1)
    with ThreadPoolExecutor(2) as pool:
        older = pool.submit(site.page, index, name)
        up.wait_for(where)
        up.put(files.wheel(name, "2.0"))
        refreshed = pool.submit(site.refresh, index, name)
        time.sleep(0.2)  # it is there now, and would be answered with the older page
        gate.open()
        assert len(older.result().json()["files"]) == 1
        assert refreshed.result().status_code == 302
    assert len(site.files(index, name)) == 2
    assert len(up.pages(name)) == 2
