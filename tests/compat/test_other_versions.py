import subprocess
from pathlib import Path

import pytest
from hypothesis import given

from changelog.codec import Event, Stamp, encode
from tests.compat.environments import Environment, all_environments
from tests.compat.fold_digest import digest
from tests.histories import Wish, histories, play
from tests.nodes import BEGIN, Folding

ROOT = Path(__file__).parents[2]
FOLD_S = 120.0


def logs(folder: Path) -> list[Path]:
    """Write random histories as files of entries."""
    written: list[Path] = []

    @given(histories())
    def write(history: list[Wish]) -> None:
        played: list[Event] = play(Folding(), history)
        path = folder / f"{len(written)}.log"
        with path.open("wb") as file:
            for serial, event in enumerate(played, 1):
                raw = encode(event, Stamp(serial, 1025, BEGIN + serial, "alice", 0))
                file.write(len(raw).to_bytes(4, "big") + raw)
        written.append(path)

    write()
    return written


@pytest.mark.parametrize("environment", all_environments(), ids=lambda found: Path(found.interpreter).name)
def test_other_pythons_and_libraries_fold_to_the_same_views(environment: Environment, tmp_path: Path) -> None:
    paths = logs(tmp_path)
    assert any(path.stat().st_size for path in paths)
    command = [environment.python(), ROOT / "tests" / "compat" / "fold_digest.py", *paths]
    found = subprocess.run(
        command, check=True, timeout=FOLD_S, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)}
    )
    assert found.stdout.split() == [digest(path.read_bytes()) for path in paths]
