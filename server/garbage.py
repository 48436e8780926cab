"""When Python looks for garbage: seldom, for pages are many objects that no cycle holds."""

import gc

NEW_OBJECTS = 20_000  # that are made before it looks; a page of 3,000 files, read, compared and shown, has as many


def look_seldom() -> None:
    """Set all that is there now aside, for it lasts as long as the process, and look at new objects less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS)
