"""attrs classes as msgpack arrays of their fields, with types checked when read.

Fields may be ``str``, ``bytes``, ``int``, ``bool``, ``None``, tuples and named tuples of these,
enumerations of text and unions of them. Named tuples are read as plain ones. The bytes are
canonical: msgpack's shortest form of each value, so that equal values have equal bytes.
"""

import reprlib
from collections.abc import Callable, Sequence
from enum import StrEnum
from itertools import product
from math import prod
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Generic, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

import attrs
import msgpack

from changelog.errors import InvalidEntry

MAX_SHAPES = 64  # of tuples with alternatives that are compared as a whole

_PACKER = msgpack.Packer(use_bin_type=True)  # plain values run no Python code: no other thread comes in between

T = TypeVar("T")
Check = Callable[[Any], bool]


def packb(value: object) -> bytes:
    """Return the canonical msgpack bytes of a plain value."""
    raw: bytes = msgpack.packb(value, use_bin_type=True)
    return raw


def packb_small(value: object) -> bytes:
    """As :func:`packb`, in half the time; for rows and entries, as the memory of the largest value is kept."""
    raw: bytes = _PACKER.pack(value)
    return raw


def unpackb(raw: bytes) -> Any:  # noqa: ANN401 - whatever was packed
    """Return the plain value in *raw*, arrays as tuples.

    Raises:
        InvalidEntry: the bytes are no msgpack, hold more than one value, text that is not UTF-8,
            or a map whose keys can not be looked up.
    """
    try:
        return msgpack.unpackb(raw, use_list=False, raw=False, strict_map_key=False)
    except (ValueError, TypeError, msgpack.exceptions.UnpackException) as error:
        raise InvalidEntry(f"not msgpack: {raw[:32].hex()}: {error}") from error


class Packing(Generic[T]):
    """Both directions for one attrs class."""

    def __init__(self, cls: type[T]) -> None:
        """Read the fields of *cls* once."""
        hints = get_type_hints(cls)
        self.cls = cls
        self.names = tuple(field.name for field in attrs.fields(cls))  # type: ignore[arg-type] # an attrs class
        self._checks: tuple[Check, ...] = tuple(_check(hints[name]) for name in self.names)
        self._check = _tuple_check(tuple(hints[name] for name in self.names))
        enums = ((place, hints[name]) for place, name in enumerate(self.names) if _is_enum(hints[name]))
        self._enums = tuple((place, {item.value: item for item in enum}) for place, enum in enums)
        self._fields = _reader(self.names)

    def plain(self, value: T) -> tuple[Any, ...]:
        """Return the fields of *value*."""
        return self._fields(value)

    def value(self, plain: Sequence[Any]) -> T:
        """Return the object whose fields are *plain*.

        Raises:
            InvalidEntry: the number or the types of the fields differ from the class.
        """
        if not self._check(tuple(plain)):
            raise self._fault(plain)
        return self.cls(*(self._with_enums(plain) if self._enums else plain))

    def check(self, plain: Sequence[Any]) -> None:
        """Raise InvalidEntry where :meth:`value` would; the object is not made."""
        if not self._check(tuple(plain)):
            raise self._fault(plain)
        if self._enums:
            self._with_enums(plain)

    def pack(self, value: T) -> bytes:
        """Return the bytes of *value*, a row or so."""
        return packb_small(self._fields(value))

    def unpack(self, raw: bytes) -> T:
        """Return what :meth:`pack` made *raw* from; only for bytes that this program wrote."""
        plain = msgpack.unpackb(raw, use_list=False)
        return self.cls(*(self._with_enums(plain) if self._enums else plain))

    def _fault(self, plain: Sequence[Any]) -> InvalidEntry:
        """Return what is wrong with *plain*."""
        if len(plain) != len(self._checks):
            return InvalidEntry(f"{self.cls.__name__} has {len(self._checks)} fields, not {len(plain)}")
        found = zip(self.names, self._checks, plain, strict=True)
        name, item = next((name, item) for name, check, item in found if not check(item))
        return InvalidEntry(f"{self.cls.__name__}.{name} can not be {reprlib.repr(item)}")

    def _with_enums(self, plain: Sequence[Any]) -> list[Any]:
        items = list(plain)
        for place, enum in self._enums:
            try:
                items[place] = enum[items[place]]
            except KeyError as error:
                name = self.names[place]
                raise InvalidEntry(f"{self.cls.__name__}.{name} can not be {reprlib.repr(items[place])}") from error
        return items


def _reader(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    if len(names) > 1:
        return attrgetter(*names)
    if names:
        return lambda value: (getattr(value, names[0]),)
    return lambda _: ()


def _is_enum(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, StrEnum)


def _check(kind: Any) -> Check:  # noqa: ANN401, PLR0911 - a table of kinds
    if isinstance(kind, NewType):
        return _check(kind.__supertype__)
    if kind is int:
        return lambda item: type(item) is int
    if _is_enum(kind):
        return lambda item: type(item) is str
    if kind in (str, bytes, bool, NoneType):
        return lambda item: type(item) is kind
    if get_origin(kind) in (Union, UnionType):
        options = [_check(option) for option in get_args(kind)]
        return lambda item: any(check(item) for check in options)
    if get_origin(kind) is tuple:
        return _tuple_check(get_args(kind))
    if isinstance(kind, type) and issubclass(kind, tuple):  # a NamedTuple
        return _tuple_check(tuple(get_type_hints(kind).values()))
    raise TypeError(f"fields of this type can not be packed: {kind!r}")


def _tuple_check(kinds: tuple[Any, ...]) -> Check:
    if len(kinds) == 2 and kinds[1] is ...:  # noqa: PLR2004 - tuple[X, ...]
        each = _check(kinds[0])
        return lambda item: isinstance(item, tuple) and all(map(each, item))
    alternatives = [_types(kind) for kind in kinds]
    if prod(map(len, alternatives)) > MAX_SHAPES:
        checks = tuple(map(_check, kinds))
        return lambda item: (
            isinstance(item, tuple)
            and len(item) == len(checks)
            and all(check(part) for check, part in zip(checks, item, strict=True))
        )
    shapes = frozenset(product(*alternatives))  # one look-up for all items: large events have 100,000 of them
    inner = [(place, _check(kind)) for place, kind in enumerate(kinds) if tuple in alternatives[place]]
    return lambda item: (
        isinstance(item, tuple)
        and tuple(map(type, item)) in shapes
        and all(check(item[place]) for place, check in inner)
    )


def _types(kind: Any) -> tuple[type, ...]:  # noqa: ANN401 - a table of kinds
    """Return the types that values of *kind* have when they are read."""
    if isinstance(kind, NewType):
        return _types(kind.__supertype__)
    if get_origin(kind) in (Union, UnionType):
        return tuple(dict.fromkeys(cls for option in get_args(kind) for cls in _types(option)))
    if get_origin(kind) is tuple or (isinstance(kind, type) and issubclass(kind, tuple)):
        return (tuple,)
    return (str,) if _is_enum(kind) else (kind,)
