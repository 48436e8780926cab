"""What a reading row asks for, in words that are the same for every server."""

from attrs import frozen

from ops.bench import corpus

HTML = "text/html"
JSON = "application/vnd.pypi.simple.v1+json"  # PEP 691


@frozen
class Page:
    """A simple page, or the project list if *project* is empty; *form* is its media type."""

    index: str
    project: str
    form: str

    @property
    def path(self) -> str:
        """Return the path at a server with devpi's URLs."""
        return f"/{self.index}/+simple/" + (f"{self.project}/" if self.project else "")


@frozen
class File:
    """A distribution file, or its core metadata (PEP 658)."""

    release: corpus.Release
    metadata: bool = False


Target = Page | File
