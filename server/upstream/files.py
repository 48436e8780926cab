"""Collects the files of one page, from the JSON form or from links that say the same."""

from collections.abc import Mapping

from attrs import evolve

from changelog import names
from changelog.errors import InvalidName
from changelog.names import FileName, ProjectName
from server.upstream import fields
from server.upstream.belonging import Belonging, respelled
from server.upstream.links import Base
from server.upstream.page import MAX_FILES, InvalidPage, UpstreamFile, shown

MAX_LEFT_OUT = 20  # reasons to keep
FIELDS = frozenset(
    {"filename", "url", "hashes", "size", "upload-time", "requires-python", "yanked", "provenance", *fields.METADATA}
)


class Files:
    """The files of a page while it is read."""

    def __init__(self, project: ProjectName, url: str) -> None:
        """Take files of *project*, with links relative to *url*."""
        self.base = Base(url)
        self.left_out: list[str] = []
        self._project = project
        self._belonging = Belonging(project)
        self._files: dict[FileName, UpstreamFile] = {}
        self._count = 0

    def add(self, said: object) -> None:
        """Take the file that an item of ``files`` describes (PEP 691), or note why not.

        Raises:
            InvalidPage: there are more than MAX_FILES.
        """
        self._count += 1
        if self._count > MAX_FILES:
            raise InvalidPage(f"the page of {self._project} has more than {MAX_FILES} files")
        try:
            if not isinstance(said, dict):
                raise InvalidName(f"not a file: {shown(said)}")  # noqa: TRY301 - noted as any other reason
            self._take(said)
        except InvalidName as error:
            if len(self.left_out) < MAX_LEFT_OUT:
                self.left_out.append(str(error))

    def all(self, versions: object) -> tuple[UpstreamFile, ...]:
        """Return the files, their versions spelled as in *versions* (PEP 700) where they are there."""
        files = tuple(self._files.values())
        spelled = respelled(self._belonging.versions, versions if isinstance(versions, list) else [])
        if not spelled:
            return files
        return tuple(evolve(file, version=spelled[file.version]) if file.version in spelled else file for file in files)

    def _take(self, said: Mapping[str, object]) -> None:
        get = said.get
        filename = _file_name(get("filename"))
        if filename in self._files:
            raise InvalidName(f"listed twice: {shown(filename)}")
        self._files[filename] = UpstreamFile(
            filename,
            self._belonging.version(filename),
            self.base.absolute(get("url")),
            *fields.digests(get("hashes")),
            fields.size(get("size")),
            fields.upload_time(get("upload-time")),
            fields.requires_python(get("requires-python")),
            fields.yanked(get("yanked")),
            fields.core_metadata(said),
            self._provenance(get("provenance")),
        )

    def _provenance(self, said: object) -> str:
        try:
            return self.base.absolute(said) if said else ""
        except InvalidName:
            return ""


def _file_name(said: object) -> FileName:
    if not isinstance(said, str):
        raise InvalidName(f"not a file name: {shown(said)}")
    return names.file_name(said)
