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
MAX_LENGTH = 72  # characters of what a file says


def summary(record: dict[str, Any]) -> str:
    """The file's path and a line for each finding; the settings of the exposure, which are many, share one line."""
    rows = [*_coding(record), *_leaks(record["leaks"])]
    rows += [("thumbnail", _thumbnail(thumbnail)) for thumbnail in record["thumbnails"]]
    if not record["leaks"] and not record["thumbnails"] and not record["faults"]:
        rows.append(("metadata", "none"))
    rows += [("damaged", f"byte {place['offset']}: {place['what']}") for place in record.get("damage", [])]
    rows += [("damaged", fault) for fault in record["faults"]]
    rows += [("warning", warning) for warning in record["warnings"]]
    rows += [("file structure", _profile(profile)) for profile in record.get("profiles", [])]
    rows += [("attribution", _attribution(attribution)) for attribution in record.get("attribution", [])]
    rows += [("judge", judgement(one)) for one in record.get("judges", [])]
    if "fingerprint" in record:
        rows.append(("fingerprint", _fingerprint(record["fingerprint"])))
    width = max(len(label) for label, _ in rows)
    lines = [f"{label:<{width}}  {text}" for label, text in rows]
    return "\n".join(printable(line) for line in (record["input"], *lines))


def _coding(record: dict[str, Any]) -> list[tuple[str, str]]:
    coding = record["coding"]
    size = f"{record['width']}x{record['height']} pixels" if record["width"] else "of no known size"
    size += {"partly": ", DECODES ONLY IN PART", "no": ", DECODES NOT AT ALL"}.get(record["decodes"], "")
    if coding is None:
        return [("picture", size if record["container"] == "JPEG" else f"{size}, {record['container']}")]
    quality = coding["standard_quality"]
    tables = (
        f"those of the common encoder at quality {quality}"
        if quality
        else "not the common encoder's at any quality (may name camera or program)"
    )
    return [
        ("picture", f"{size}, {coding['process']}, {coding['subsampling']}"),
        ("quantisation", tables),
    ]


def _leaks(leaks: list[dict[str, str]]) -> list[tuple[str, str]]:
    settings = [leak["where"].removeprefix("Exif ") for leak in leaks if leak["tells"] == "settings"]
    rows = [
        (LABELS[leak["tells"]], _shortened(f"{leak['where']}: {leak['value']}"))
        for leak in leaks
        if leak["tells"] != "settings"
    ]
    if settings:
        kind = "" if any(" " in name for name in settings) else "EXIF "
        rows.append((LABELS["settings"], f"{len(settings)} {kind}entries, such as {', '.join(settings[:3])}"))
    return rows


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 3] + "..."


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


def judgement(record: dict[str, Any], most: int = 3) -> str:
    """What a judge says, with its highest scores, or why it says nothing, on one line."""
    if record["error"]:
        return f"{record['error']} ({record['judge']})"
    best = list(record["scores"].items())[:most]
    return f"{', '.join(f'{label} {score:.2f}' for label, score in best)} ({record['judge']}, {record['measure']})"


def _fingerprint(result: dict[str, Any]) -> str:
    if result["match"] is None:
        return "cannot be decided: too little noise, as in black or white pictures"
    verdict = "the same device" if result["match"] else "no match, which does not show another device"
    return f"PCE {result['pce']:.1f} with {result['references']} references: {verdict}"
