"""The record of `inspect` as a short table of text."""

from typing import Any

from cama.core.errors import printable

LABELS = {
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
MAX_LENGTH = 72  # characters of a value


def summary(record: dict[str, Any]) -> str:
    """The file's name and a line for each finding; the settings of the exposure, which are many, share one line."""
    rows = [*_coding(record), *_leaks(record["leaks"])]
    rows += [("thumbnail", _thumbnail(thumbnail)) for thumbnail in record["thumbnails"]]
    rows += [("damaged", fault) for fault in record["faults"]]
    rows += [("file structure", _profile(profile)) for profile in record.get("profiles", [])]
    rows += [("attribution", _attribution(attribution)) for attribution in record.get("attribution", [])]
    if "fingerprint" in record:
        result = record["fingerprint"]
        verdict = "the same device" if result["match"] else "no match, which does not show another device"
        rows.append(("fingerprint", f"PCE {result['pce']:.1f} with {result['references']} references: {verdict}"))
    width = max(len(label) for label, _ in rows)
    lines = [
        f"{label:<{width}}  {text if len(text) <= MAX_LENGTH or label == 'thumbnail' else text[: MAX_LENGTH - 3] + '...'}"
        for label, text in rows
    ]
    return "\n".join(printable(line) for line in (record["file"], *lines))


def _coding(record: dict[str, Any]) -> list[tuple[str, str]]:
    coding = record["coding"]
    quality = coding["standard_quality"]
    tables = (
        f"those of the common encoder at quality {quality}"
        if quality
        else "not the common encoder's (they can name a camera model or a program)"
    )
    return [
        ("picture", f"{record['width']}x{record['height']} pixels, {coding['process']}, {coding['subsampling']}"),
        ("quantisation", tables),
    ]


def _leaks(leaks: list[dict[str, str]]) -> list[tuple[str, str]]:
    settings = [leak["where"].removeprefix("Exif ") for leak in leaks if leak["tells"] == "settings"]
    rows = [
        (LABELS[leak["tells"]], f"{leak['where']}: {leak['value']}") for leak in leaks if leak["tells"] != "settings"
    ]
    if settings:
        rows.append((LABELS["settings"], f"{len(settings)} EXIF entries, such as {', '.join(settings[:3])}"))
    return rows


def _thumbnail(thumbnail: dict[str, Any]) -> str:
    if not thumbnail["readable"]:
        return f"{thumbnail['where']}, {thumbnail['bytes']} bytes that cannot be decoded"
    verdict = {"same": "", "differs": "DIFFERS: ", "undecided": "undecided: "}[thumbnail["verdict"]]
    return f"{thumbnail['where']}, {thumbnail['width']}x{thumbnail['height']}: {verdict}{thumbnail['reason']}"


def _profile(profile: dict[str, Any]) -> str:
    different = [trait for trait, same in profile["matches"].items() if not same]
    return f"as in photographs of {profile['model']}, {'except for ' + ', '.join(different) if different else 'in every trait'}"


def _attribution(attribution: dict[str, Any]) -> str:
    best = list(attribution["probabilities"].items())[:3]
    return f"{', '.join(f'{label} {share:.2f}' for label, share in best)} ({attribution['classifier']})"
