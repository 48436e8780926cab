"""Checking a whole node against itself: log, tree, head, views, private records and blobs.

Everything is judged from the entries: hashes and views are made anew and compared with what is
stored. A check of a running node takes short snapshots and never writes to it.
"""

from changelog.verify.node import Paths, verify_node
from changelog.verify.report import Finding, Kind, Progress, Report

__all__ = ["Finding", "Kind", "Paths", "Progress", "Report", "verify_node"]
