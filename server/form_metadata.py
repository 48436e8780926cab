"""A core metadata document from the fields of a form, for releases whose archive has none (devpi's ``submit``)."""

from collections.abc import Mapping, Sequence

HEADERS = {
    "metadata_version": "Metadata-Version",
    "name": "Name",
    "version": "Version",
    "dynamic": "Dynamic",
    "platform": "Platform",
    "supported_platform": "Supported-Platform",
    "summary": "Summary",
    "keywords": "Keywords",
    "home_page": "Home-page",
    "download_url": "Download-URL",
    "author": "Author",
    "author_email": "Author-email",
    "maintainer": "Maintainer",
    "maintainer_email": "Maintainer-email",
    "license": "License",
    "license_expression": "License-Expression",
    "license_file": "License-File",
    "classifiers": "Classifier",
    "requires_dist": "Requires-Dist",
    "requires_python": "Requires-Python",
    "requires_external": "Requires-External",
    "project_urls": "Project-URL",
    "provides_extras": "Provides-Extra",
    "provides_dist": "Provides-Dist",
    "obsoletes_dist": "Obsoletes-Dist",
    "requires": "Requires",
    "provides": "Provides",
    "obsoletes": "Obsoletes",
    "comment": "Comment",
    "description_content_type": "Description-Content-Type",
}
_FOLD = "\n        "  # continues a header


def document(fields: Mapping[str, Sequence[str]]) -> bytes:
    """Return the core metadata that the form's *fields* say; ``UNKNOWN`` and empty values say nothing."""
    lines = [
        f"{header}: {value.strip().replace(chr(13), '').replace(chr(10), _FOLD)}\n"
        for key, header in HEADERS.items()
        for value in fields.get(key, ())
        if value.strip() not in ("", "UNKNOWN")
    ]
    description = "".join(fields.get("description", ())[-1:])
    return ("".join(lines) + (f"\n{description}" if description.strip() else "")).encode()
