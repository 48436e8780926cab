"""Users and indexes that nothing else in a run has."""

import itertools

from tests.http.client import Client

PASSWORD = "correct horse"
_NUMBERS = itertools.count(1)


def fresh() -> str:
    """Return a name that nothing has."""
    return f"n{next(_NUMBERS)}"


def make_user(nobody: Client) -> Client:
    """Make a user."""
    name = fresh()
    answer = nobody.put(name, {"password": PASSWORD})
    assert answer.status_code == 201, answer.text
    return Client(nobody.url, name, PASSWORD)


def make_index(owner: Client, **options: object) -> str:
    """Make an index of *owner*."""
    name = f"{owner.user}/{fresh()}"
    answer = owner.put(name, options)
    assert answer.status_code == 200, answer.text
    return name
