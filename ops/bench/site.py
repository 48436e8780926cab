"""Where and with what the rows are measured."""

from attrs import frozen

from ops.bench import corpus, wrk


@frozen
class Site:
    """What all rows of a run share."""

    plan: corpus.Plan
    generator: wrk.Generator
    window_s: float  # of a reading row at one server
    upload_limit_s: float  # after which an uploading row sends no more
