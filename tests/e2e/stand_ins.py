"""Programs that clients run, replaced by ones that do the same at once: sphinx-build and tox."""

import sys

from tests.e2e.clients import BIN, Clients

SPHINX = """\
import pathlib, sys
build = pathlib.Path(sys.argv[-1])
(build / "_static").mkdir(parents=True)
(build / "index.html").write_text("<p>what it does")
(build / "_static" / "x.css").write_text("p {}")
"""
TOX = """\
import json, sys
report = {{"host": "h", "platform": "linux", "toxversion": "4", "testenvs": {{"py": {{
    "python": {{"version": "3.13.0"}},
    "setup": [{{"retcode": 0, "command": ["pip"], "output": ""}}],
    "test": [{{"retcode": {code}, "command": ["pytest", "-q"], "output": "one failed"}}]}}}}}}
open(sys.argv[sys.argv.index("--result-json") + 1], "w").write(json.dumps(report))
sys.exit({code})
"""


def stand_in(clients: Clients, name: str, program: str) -> str:
    """Write a program that a client finds as *name*; return the PATH for that."""
    folder = clients.home / "bin"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(program)
    (folder / name).write_text(f'#!/bin/sh\nexec {sys.executable} {folder / name}.py "$@"\n')
    (folder / name).chmod(0o755)
    return f"{folder}:{BIN}:/usr/bin:/bin"
