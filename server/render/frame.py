"""The page around documentation; its own scripts, if it has any, run in an origin of their own."""

from html import escape
from urllib.parse import quote


def frame(project: str, version: str, asked: str, path: str, *, depth: int) -> str:
    """Return a page with *path* of the documentation of *version* in a frame.

    *asked* is the version as it was asked for, perhaps a word; *depth* is the number of segments behind it.
    """
    up = "../" * (depth - (1 if not path.endswith("/") and path else 0))
    title = escape(f"{project} {version}: documentation")
    bare = escape(f"{up}+doc/{quote(path, safe='/+')}")
    links = [f'<a href="{bare}">without this frame</a>']
    links += [f'<a href="{up}../{word}/+d/">{word}</a>' for word in ("latest", "stable") if word != asked]
    return _PAGE.format(title=title, links=" &middot; ".join(links), bare=bare)


_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body {{ margin: 0; height: 100vh; display: flex; flex-direction: column; font-family: sans-serif }}
p {{ margin: 0; padding: .3em 1em }} iframe {{ border: 0; flex: 1 }}</style></head>
<body><p>{title} &middot; {links}</p>
<iframe src="{bare}" title="{title}"
 sandbox="allow-scripts allow-forms allow-popups allow-modals allow-downloads"></iframe></body></html>
"""
