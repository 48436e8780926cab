"""``ledgerpi rebuild`` of a running node, while it is written and read."""

import subprocess
from pathlib import Path
from threading import Event, Thread

from changelog.verify import verify_node
from server.layout import Layout
from tests.http.client import Client, wheel
from tests.processes import LEDGERPI, new_node

REBUILD_S = 60.0


def test_views_are_rebuilt_while_uploads_and_reads_go_on(tmp_path: Path) -> None:
    running = new_node(tmp_path).start()
    try:
        client = Client(running.url, "root", "secret")
        uploaded: set[str] = set()
        stop = Event()

        def upload() -> None:
            while not stop.is_set():
                dist = wheel("demo", f"1.{len(uploaded)}")
                assert client.upload("root/dev", dist).status_code == 200
                uploaded.add(dist.filename)

        thread = Thread(target=upload)
        thread.start()
        for _ in range(2):  # into either set of tables
            command = [str(LEDGERPI), "rebuild", "--serverdir", str(running.serverdir)]
            subprocess.run(command, check=True, timeout=REBUILD_S, capture_output=True)
        stop.set()
        thread.join()
        page = client.get("root/dev/+simple/demo/", "application/vnd.pypi.simple.v1+json").json()
        assert {file["filename"] for file in page["files"]} == uploaded
        assert uploaded
    finally:
        running.stop()
    assert verify_node(Layout(running.serverdir)).clean
