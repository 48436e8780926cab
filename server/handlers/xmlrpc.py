"""PyPI's old search by XML-RPC, as ``pip search`` asks for it, and nothing else of that interface.

The documents are read by defusedxml: the standard library's parser would expand entities.
"""

import xmlrpc.client
from collections.abc import Mapping
from typing import Any
from xml.parsers.expat import ExpatError

from aiohttp import web
from defusedxml.xmlrpc import DefusedExpatParser

from changelog.errors import InvalidForm, LedgerpiError
from server import search as searching
from server.executors import for_reading
from server.parts import Parts
from server.readers import reader_of
from server.requests import body_bytes, index_of
from server.search import Hit

MEDIA_TYPE = "text/xml"
MAX_BODY = 64 << 10  # bytes
MAX_WORDS = 32
UNREADABLE = (ExpatError, ArithmeticError, ValueError, TypeError, LookupError, AttributeError, xmlrpc.client.Error)
OPERATORS = ("or", "and")


async def search(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Answer ``search({"name": words, "summary": words}, "or")`` for an index and its bases; else a fault."""
    name, reader = index_of(segments), reader_of(request)
    with parts.reader.snapshot() as store:
        parts.sources.check(store, name, reader, reads=True)  # a token that is not for reading
    try:
        words, is_any = _asked(await body_bytes(request, MAX_BODY))

        def find() -> list[Hit]:
            with parts.reader.snapshot() as store:
                return searching.find(parts, store, name, words, is_any=is_any, reader=reader)

        hits = await for_reading(find)
    except LedgerpiError as error:
        return fault(error)
    return _answer(([_shown(hit, place) for place, hit in enumerate(hits)],))


def fault(error: LedgerpiError) -> web.Response:
    """Return *error* as an XML-RPC client reads it, which reads no other answer than 200."""
    return _answer(xmlrpc.client.Fault(1, _plain(str(error))))


def _asked(body: bytes) -> tuple[Mapping[str, list[str]], bool]:
    """Return the words by field, in lower case, and whether one field is enough; raises InvalidForm."""
    unmarshaller = xmlrpc.client.Unmarshaller(use_builtin_types=True)
    try:
        parser = DefusedExpatParser(unmarshaller, forbid_dtd=True)
        parser.feed(body)
        parser.close()
        arguments, method = unmarshaller.close(), unmarshaller.getmethodname()
    except UNREADABLE as error:
        raise InvalidForm("the body is no call by XML-RPC") from error
    if method != "search":
        raise InvalidForm(f"no such method: {str(method)[:100]}")
    spec, operator = (*arguments, "or")[:2] if arguments else (None, None)
    if not isinstance(spec, dict) or operator not in OPERATORS or len(arguments) > 2:  # noqa: PLR2004 - spec, operator
        raise InvalidForm('the arguments of search are a struct of words by field, and "or" or "and"')
    words = {key: _words(spec[key]) for key in (searching.NAME, searching.SUMMARY) if key in spec}
    if not any(words.values()):
        raise InvalidForm("search needs words for name or summary")
    return words, operator == "or"


def _words(value: Any) -> list[str]:  # noqa: ANN401 - whatever a client sends
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise InvalidForm("words of a search are texts")
    found = [word for text in texts for word in text.lower().split()]
    if len(found) > MAX_WORDS:
        raise InvalidForm(f"{len(found)} words, at most {MAX_WORDS}")
    return found


def _shown(hit: Hit, place: int) -> dict[str, object]:
    return {"name": hit.project, "version": hit.version, "summary": _plain(hit.summary), "_pypi_ordering": place}


def _plain(text: str) -> str:
    """Return *text* without characters that XML can not say."""
    return "".join(character for character in text if character.isprintable())


def _answer(value: Any) -> web.Response:  # noqa: ANN401 - a tuple or a fault
    body = xmlrpc.client.dumps(value, methodresponse=True, encoding="utf-8")
    return web.Response(body=body.encode(), content_type=MEDIA_TYPE, headers={"Cache-Control": "no-store"})
