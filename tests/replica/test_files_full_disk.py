"""A replica whose disk is full: files wait, and come when there is space again."""

from pathlib import Path

from tests.crash.disks import mounted
from tests.following import new_replica
from tests.mirror.site import until
from tests.processes import new_node
from tests.replica.copied import STAGE, Copied, asked, blob, large, wait_until_here
from tests.replica.faulty import Fault, faulty

SIZE_MIB = 48


def test_files_wait_for_space(tmp_path: Path) -> None:
    node = new_node(tmp_path, workers=1).start()
    with mounted(tmp_path, "tmpfs", SIZE_MIB) as disk, faulty(node.url) as proxy:
        copied = Copied(node, proxy, proxy)
        replica = new_replica(node, disk.root, via=proxy.url, workers=1)
        try:
            replica.start()
            dist = large()
            proxy.faults[dist.sha256] = Fault(hold_at=1_000)
            copied.upload(dist)
            asked(replica, "HEAD", f"{STAGE}/{dist.path}", X_Ledgerpi_Min_Position=copied.position)
            disk.fill()
            del proxy.faults[dist.sha256]
            until(lambda: "no space" in replica.log)
            assert asked(replica, "GET", f"{STAGE}/{dist.path}").status_code == 507
            assert not blob(replica, dist.content).exists()
            disk.filler.unlink()
            wait_until_here(replica, dist.content)
            assert asked(replica, "GET", f"{STAGE}/{dist.path}").content == dist.content
            assert copied.wait_for(replica)["wanted"] == 1
            assert "process died" not in replica.log
        finally:
            replica.kill()
            node.kill()
