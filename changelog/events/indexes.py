"""Indexes and their options."""

from attrs import frozen

from changelog.names import IndexName

OptionValue = bool | int | str | tuple[str, ...]
Option = tuple[str, OptionValue]


@frozen
class IndexCreated:
    """An index was created; its incarnation is the serial of this entry."""

    index: IndexName
    type: str  # "stage" or "mirror"
    options: tuple[Option, ...]  # sorted by name, only those that differ from the default
    texts: bytes  # commitment to title, description and custom_data; b"" = all empty


@frozen
class IndexModified:
    """Options of an index changed."""

    index: IndexName
    options: tuple[Option, ...]  # the changed ones, sorted by name
    dropped: tuple[str, ...]  # those that have their default again, sorted


@frozen
class IndexTextsChanged:
    """Title, description or custom_data of an index were replaced; the old record is erased."""

    index: IndexName
    texts: bytes  # as in IndexCreated


@frozen
class IndexDeleted:
    """An index was deleted with all it holds."""

    index: IndexName
