"""Arguments of commands as typed names."""

from collections.abc import Callable
from typing import Any

import click

from changelog.errors import InvalidName


def parsed(parse: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, str], Any]:
    """Return the callback that reads an argument by *parse*, one of ``changelog.names``."""

    def callback(_context: click.Context, _parameter: click.Parameter, text: str) -> Any:  # noqa: ANN401 - a name
        try:
            return parse(text)
        except InvalidName as error:
            raise click.BadParameter(str(error)) from error

    return callback
