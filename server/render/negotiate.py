"""Which form of a simple page a client gets (PEP 691; RFC 9110 sections 12.4 and 12.5)."""

import re
from enum import StrEnum
from functools import lru_cache

from attrs import frozen

from changelog.errors import NotAcceptable


class Form(StrEnum):
    """A form of the simple pages; the value is the media type without parameters."""

    JSON = "application/vnd.pypi.simple.v1+json"
    HTML_V1 = "application/vnd.pypi.simple.v1+html"
    HTML = "text/html"

    @property
    def content_type(self) -> str:
        """The ``Content-Type`` of an answer in this form."""
        return "text/html; charset=utf-8" if self is Form.HTML else self.value


_NAMED: dict[str, Form] = {
    **{form.value: form for form in Form},
    "application/vnd.pypi.simple.latest+json": Form.JSON,
    "application/vnd.pypi.simple.latest+html": Form.HTML_V1,
}
# Who names forms is a machine, and JSON says most; who takes anything is a person or an old script.
_WHEN_NAMED = (Form.JSON, Form.HTML_V1, Form.HTML)
_WHEN_ANYTHING = (Form.HTML, Form.JSON, Form.HTML_V1)
# How specific a media range is (RFC 9110 section 12.5.1).
_ANYTHING, _ANY_OF_TYPE, _EXACT, _EXACT_WITH_CHARSET = range(4)

_REMEMBERED = 512  # characters; longer headers are no installer's and are read each time
_SHOWN = 100  # characters of the header that an error repeats

# Possessive, so that no header takes more than linear time. A quoted string may hold the separator.
_ELEMENT = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*+"?)++', re.DOTALL)
_PARAMETER = re.compile(r'(?:[^;"]|"(?:[^"\\]|\\.)*+"?)++', re.DOTALL)
_QUALITY = re.compile(r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)", re.ASCII)


@frozen
class _Element:
    """One element of an Accept or Accept-Encoding header."""

    value: str  # lower case, without parameters
    parameters: tuple[tuple[str, str], ...]  # before the quality
    quality: float  # 0 to 1


def choose(accept: str | None, format_parameter: str | None = None) -> Form:
    """Return the form that the client prefers.

    *accept* is the Accept header (several joined by commas); None, or one without any element,
    means ``*/*``. *format_parameter*, the decoded value of ``?format=``, wins over it; its ``+``
    may have been decoded as a space. Of forms of equal quality, one that the client named goes
    before one that a wildcard covers; of the named JSON is first, of the others ``text/html``.

    Raises:
        NotAcceptable: no form made here is accepted.
    """
    if format_parameter is not None:
        return _named_by_parameter(format_parameter)
    if accept is None:
        return Form.HTML
    return _remembered(accept) if len(accept) <= _REMEMBERED else _preferred(accept)


def accepts_gzip(accept_encoding: str | None) -> bool:
    """Tell whether the answer shall be gzip rather than plain (RFC 9110 section 12.5.3).

    No header is taken as a wish for plain bytes. At equal quality gzip wins.
    """
    if accept_encoding is None:
        return False
    if len(accept_encoding) <= _REMEMBERED:
        return _gzip_remembered(accept_encoding)
    return _gzip_preferred(accept_encoding)


def _named_by_parameter(text: str) -> Form:
    form = _NAMED.get(text.strip().replace(" ", "+").lower())
    if form is None:
        raise NotAcceptable(f"no such format: {_shown(text)}")
    return form


def _preferred(accept: str) -> Form:
    elements = _elements(accept)
    if not elements:
        return Form.HTML
    wishes = _wishes(elements)
    form = max(Form, key=lambda form: _rank(form, *wishes[form]))
    if not wishes[form][1]:
        raise NotAcceptable(f"not made here: {_shown(accept)}; there is {', '.join(Form)}")
    return form


_remembered = lru_cache(maxsize=256)(_preferred)


def _wishes(elements: list[_Element]) -> dict[Form, tuple[int, float]]:
    """Return for each form how specific the most specific range over it is, and its quality."""
    wishes = dict.fromkeys(Form, (-1, 0.0))
    for element in elements:
        specificity, forms = _covered(element)
        for form in forms:
            wishes[form] = max(wishes[form], (specificity, element.quality))
    return wishes


def _covered(element: _Element) -> tuple[int, tuple[Form, ...]]:
    """Return the specificity of a media range and the forms it covers."""
    with_charset = element.parameters == (("charset", "utf-8"),)
    if element.parameters and not with_charset:
        return _ANYTHING, ()  # a variant with parameters, such as level=1, is not made here
    if element.value in {"*/*", "*"}:  # the bare star is what old Java clients send
        return _ANYTHING, _WHEN_ANYTHING
    if element.value.endswith("/*"):
        return _ANY_OF_TYPE, tuple(form for form in Form if form.startswith(element.value[:-1]))
    form = _NAMED.get(element.value)
    return _EXACT_WITH_CHARSET if with_charset else _EXACT, (form,) if form else ()


def _rank(form: Form, specificity: int, quality: float) -> tuple[float, int, int]:
    """Return what the best form has most of."""
    named = specificity >= _EXACT
    order = _WHEN_NAMED if named else _WHEN_ANYTHING
    return quality, min(specificity, _EXACT), -order.index(form)


def _gzip_preferred(accept_encoding: str) -> bool:
    quality: dict[str, float] = {}
    for element in _elements(accept_encoding):
        quality[element.value] = max(quality.get(element.value, 0.0), element.quality)
    gzip = quality.get("gzip", quality.get("x-gzip", quality.get("*", 0.0)))
    return gzip > 0 and gzip >= quality.get("identity", 0.0)


_gzip_remembered = lru_cache(maxsize=256)(_gzip_preferred)


def _elements(header: str) -> list[_Element]:
    return [_element(text) for text in _ELEMENT.findall(header) if text.strip()]


def _element(text: str) -> _Element:
    value, *rest = _PARAMETER.findall(text) or [""]
    parameters = []
    quality = 1.0
    for parameter in rest:
        name, _, given = parameter.partition("=")
        name, given = name.strip().lower(), given.strip().strip('"').lower()
        if name == "q":
            quality = _quality(given)
            break  # what follows was an extension of Accept in RFC 7231 and means nothing now
        if name:
            parameters.append((name, given))
    return _Element(value.strip().lower(), tuple(parameters), quality)


def _quality(text: str) -> float:
    """Return *text* as a quality of 0 to 1.

    Clamped if outside, 1 if it is no number: a slip there is no reason to refuse the range.
    """
    if not _QUALITY.fullmatch(text):
        return 1.0
    return min(max(float(text), 0.0), 1.0)


def _shown(text: str) -> str:
    return ascii(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
