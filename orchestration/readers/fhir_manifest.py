"""The manifest of a FHIR bulk export, laid beside its files or in the folder above.

It is the JSON that the server answered with when the export was done. What it says
here is the moment that the export shows (`transactionTime`): the mark of what its
`deleted` files cancel.
"""

import json
from pathlib import Path

_LARGEST = 16 << 20  # bytes


def exported_at(path: Path) -> str | None:
    """The moment of the export that a file belongs to, as sent; None if unknown.

    Of several manifests the one that lists the file counts.
    """
    manifests = [
        found
        for folder in (path.parent, path.parent.parent)
        for file in sorted(folder.glob("*.json"))
        if (found := _manifest(file)) is not None
    ]
    if len(manifests) > 1:
        manifests = [found for found in manifests if path.name in _listed(found)]
    moments = {found["transactionTime"] for found in manifests}
    return moments.pop() if len(moments) == 1 else None


def is_manifest(path: Path) -> bool:
    """Whether a file is the manifest of an export."""
    return path.suffix == ".json" and _manifest(path) is not None


def _manifest(path: Path) -> dict | None:
    """A manifest, or None if the file is something else."""
    try:
        # A pipe would be waited on for ever.
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return None
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if isinstance(found, dict) and isinstance(found.get("transactionTime"), str):
        return found
    return None


def _listed(manifest: dict) -> set[str]:
    """Names of the files that a manifest lists, as downloaded or packed."""
    listed = manifest.get("deleted")
    urls = [
        file["url"]
        for file in (listed if isinstance(listed, list) else [])
        if isinstance(file, dict) and isinstance(file.get("url"), str)
    ]
    names = {url.split("?")[0].rstrip("/").rsplit("/", 1)[-1] for url in urls}
    return (
        names | {f"{name}.gz" for name in names} | {f"{name}.ndjson" for name in names}
    )
