"""Text that is safe to print: what users wrote must not command a terminal."""


def printable(text: str) -> str:
    r"""Return *text* with unprintable characters as ``\xNN`` or ``\uNNNN``."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
