"""Commands whose options can also be said by the environment and by a file, as devpi's can.

What the command line says wins over the environment, that over the file, and that over the defaults. In the environment
``--outside-url`` is ``LEDGERPI_OUTSIDE_URL`` or devpi's ``DEVPISERVER_OUTSIDE_URL``, in the file ``outside-url``.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import platformdirs
import yaml

ENVIRONMENT = ("LEDGERPI_", "DEVPISERVER_")  # prefixes, the first one that is there wins
FILES = (("ledgerpi", "ledgerpi", "ledgerpi.yml"), ("devpi-server", "devpi", "devpi-server.yml"))  # of whom, what
SECTIONS = ("ledgerpi", "devpi-server")


class Configured(click.Command):
    """A command with these sources of its options, and with ``-c`` for the file."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - click's own
        """As its base, for options without environment variables of their own."""
        super().__init__(*args, **kwargs)
        for parameter in self.params:
            if isinstance(parameter, click.Option) and parameter.envvar is None:
                parameter.envvar = [prefix + _variable(name) for name in _names(parameter) for prefix in ENVIRONMENT]
        self.params.append(
            click.Option(
                ["-c", "--configfile"],
                type=click.Path(exists=True, dir_okay=False, path_type=Path),
                metavar="FILE",
                expose_value=False,
                is_eager=True,
                callback=self._configure,
                envvar=[prefix + "CONFIGFILE" for prefix in ENVIRONMENT],
                help="A file with options, YAML. Default: ledgerpi.yml or devpi-server.yml, where there is one.",
            )
        )

    def _configure(self, context: click.Context, _parameter: click.Parameter, given: Path | None) -> None:
        path = given or found_file()
        if path is not None and not context.resilient_parsing:
            context.default_map = self._defaults(path)

    def _defaults(self, path: Path) -> dict[str, Any]:
        """Return the values in a file by parameter; an option that is not known is told of and left out."""
        options = {name: option for option in self.params for name in _names(option)}
        defaults: dict[str, Any] = {}
        for name, value in read(path).items():
            option = options.get(name)
            if option is None or option.name is None:
                click.echo(f"Warning: {path}: ledgerpi {self.name} has no option {name!r}", err=True)
            else:
                defaults[option.name] = _value(path, name, value, many=option.multiple)
        return defaults


def found_file() -> Path | None:
    """Return the file that is read where none is named: the user's before the machine's, ours before devpi's."""
    return next((path for names in FILES for path in _places(*names) if path.is_file()), None)


def read(path: Path) -> dict[str, Any]:
    """Return what the section of a file says, all values being text, lists or mappings.

    Raises:
        UsageError: it can not be read, is no YAML, or file or section is no mapping.
    """
    try:
        said = yaml.load(path.read_text(), yaml.BaseLoader)  # noqa: S506 - makes texts only
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise click.UsageError(f"{path} can not be read: {error}") from error
    if not isinstance(said, dict):
        raise click.UsageError(f"{path} has to be a mapping with a section {' or '.join(SECTIONS)}")
    section = next((said[name] for name in SECTIONS if name in said), None)
    if section is None:
        raise click.UsageError(f"{path} has no section {' or '.join(SECTIONS)}")
    if not isinstance(section or {}, dict):
        raise click.UsageError(f"{path}: its section has to be a mapping of options")
    return dict(section or {})


def _places(program: str, vendor: str, name: str) -> Iterator[Path]:
    """Yield where a file of that name is looked for."""
    yield Path(platformdirs.user_config_dir(program, vendor)) / name
    for folder in reversed(platformdirs.site_config_dir(program, vendor, multipath=True).split(":")):
        yield Path(folder) / name


def _names(parameter: click.Parameter) -> list[str]:
    """Return the long names of an option without their dashes."""
    return [name[2:] for name in parameter.opts if name.startswith("--")]


def _variable(name: str) -> str:
    return name.replace("-", "_").upper()


def _value(path: Path, name: str, value: object, *, many: bool) -> object:
    """Return a value as click takes it: a text, or a tuple of texts where an option may come again."""
    if many and isinstance(value, str):
        return tuple(value.split())
    if isinstance(value, str):
        return value
    if many and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise click.UsageError(f"{path}: {name} can not be {value!r}")
