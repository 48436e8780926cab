"""Standard input, output and errors: a node runs on where they are closed, full or read by nobody."""

import os
import sys
from contextlib import suppress

_INPUT, _OUTPUT, _ERRORS = 0, 1, 2


def open_missing() -> None:
    """Lead those that were closed when the program was started to nowhere.

    The next file or socket would get such a number, and what a library says on standard error would be written into it.
    """
    for descriptor in (_INPUT, _OUTPUT, _ERRORS):
        with suppress(OSError):
            os.fstat(descriptor)
            continue
        os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003 - the lowest free number is this one
    sys.stdout = sys.stdout or open(_OUTPUT, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for good
    sys.stderr = sys.stderr or open(_ERRORS, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def give_up_output() -> None:
    """Lead standard output to nowhere, with what was not written yet: else it would fail once more at the end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, _OUTPUT)
    os.close(nowhere)
