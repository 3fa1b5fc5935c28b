"""A photograph's record as a table for a person."""

from typing import Any

from cama.core.errors import printable

HEADS = {
    "person": "who",
    "place": "where",
    "time": "when",
    "device": "which device",
    "camera": "which camera",
    "software": "which software",
    "content": "content",
    "thumbnail": "thumbnail",
    "unknown": "unknown data",
    "settings": "settings",
}
MOST = 72  # characters of a value


def as_table(record: dict[str, Any]) -> str:
    """What `inspect` found, as lines of text; the many settings of the exposure on one of them."""
    coding = record["coding"]
    quality = coding["standard_quality"]
    tables = (
        f"those of the common encoder at quality {quality}"
        if quality
        else "not the common encoder's (they can name a camera model or a program)"
    )
    rows = [
        ("picture", f"{record['width']}x{record['height']} pixels, {coding['process']}, {coding['subsampling']}"),
        ("quantisation", tables),
    ]
    settings = [leak["where"].removeprefix("Exif ") for leak in record["leaks"] if leak["tells"] == "settings"]
    for leak in record["leaks"]:
        if leak["tells"] != "settings":
            rows.append((HEADS[leak["tells"]], f"{leak['where']}: {leak['value']}"))
    if settings:
        rows.append((HEADS["settings"], f"{len(settings)} EXIF entries, such as {', '.join(settings[:3])}"))
    for thumbnail in record["thumbnails"]:
        rows.append(("thumbnail", _thumbnail(thumbnail)))
    rows += [("damaged", fault) for fault in record["faults"]]
    for found in record.get("profiles", []):
        other = [name for name, same in found["matches"].items() if not same]
        rows.append(
            ("built like", f"{found['model']}{', but for ' + ', '.join(other) if other else ', in every trait'}")
        )
    for found in record.get("attribution", []):
        best = list(found["probabilities"].items())[:3]
        rows.append(
            ("pixels say", f"{', '.join(f'{name} {share:.2f}' for name, share in best)} ({found['classifier']})")
        )
    if "fingerprint" in record:
        found = record["fingerprint"]
        verdict = "the same device" if found["match"] else "no match, which does not show another device"
        rows.append(("fingerprint", f"PCE {found['pce']:.1f} with {found['references']} references: {verdict}"))
    width = max(len(head) for head, _ in rows)
    lines = [f"{head:<{width}}  {text if len(text) <= MOST else text[: MOST - 3] + '...'}" for head, text in rows]
    return "\n".join(printable(line) for line in (record["file"], *lines))


def _thumbnail(thumbnail: dict[str, Any]) -> str:
    if not thumbnail["readable"]:
        return f"{thumbnail['bytes']} bytes that are no picture"
    size = f"{thumbnail['width']}x{thumbnail['height']} pixels"
    if "same_picture" not in thumbnail:
        return size
    shows = "the picture" if thumbnail["same_picture"] else "ANOTHER PICTURE"
    return f"{size}, shows {shows} (correlation {thumbnail['correlation']:.2f})"
