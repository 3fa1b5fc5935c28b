"""Names of cameras: one for all spellings of a model, and a label that can name a file."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence

from cama.jpeg.exif import MAKE, MODEL, Exif

# Words that a maker adds to its name in some files and not in others: its company's form, and what it makes.
FORMS = {"ag", "co", "company", "corp", "corporation", "gmbh", "inc", "limited", "ltd"}
COMPANY = FORMS | {
    "camera", "communications", "computer", "eastman", "electric", "electronics", "film", "imaging", "mobile", "optical",
    "photo", "techwin",
}  # fmt: skip
ALIASES = {"fuji": "fujifilm", "hewlett-packard": "hp", "lge": "lg"}
UNSAFE = re.compile(r"[^\w .,+()-]+")  # what `settings.data.MODEL` does not allow
LONGEST = 80  # characters of a label


def camera_name(exif: Exif) -> tuple[str, str]:
    """Make and model in EXIF, cleaned; empty where there are none."""
    make, model = (clean(exif.get("IFD0", tag)) for tag in (MAKE, MODEL))
    return make, model


def clean(value: object) -> str:
    """A text of EXIF without what stands behind its first NUL, control characters and needless blanks."""
    texts = str(value or "").split("; ")  # as `read_exif` joins the texts between NULs
    text = unicodedata.normalize("NFC", next((text for text in texts if text.strip()), ""))
    return " ".join("".join(" " if unicodedata.category(c)[0] == "C" else c for c in text).split())


def same_camera(make: str, model: str) -> tuple[str, str]:
    """A key that all spellings of a camera share, such as `NIKON CORPORATION`, `NIKON D70` and `Nikon`, `D70`."""
    maker, name = split_name(make, model)
    return ALIASES.get(maker.casefold(), maker.casefold()), name.casefold()


def split_name(make: str, model: str) -> tuple[str, str]:
    """The maker's name in one word, and the model without it: `NIKON` and `D70` for `NIKON CORPORATION` and `NIKON D70`, `LG`
    and `H870` for `LG Electronics` and `LG-H870`, `Canon` and `EOS` for `Canon` and `Canon Canon EOS`.
    """
    words = make.split() or [""]
    maker = next((word for word in words if not _is_in(COMPANY, word)), words[0]).rstrip(".,")
    names = {maker.casefold()}.union(*(pair for pair in ALIASES.items() if maker.casefold() in pair))
    while True:
        rest = _without_first(model, names)
        if not rest:
            return maker, model
        model = rest


def label(make: str, model: str) -> str:
    """`Make_Model` of letters, digits and `.,+()-`, with `-` for blanks, which can name a file. Where the name has other
    characters or is long, four digits of its hash follow, so that models that differ in these alone keep labels of their own.
    """
    maker, name = split_name(make, model)
    safe = ["-".join(UNSAFE.sub(" ", part).split()) for part in (maker, name)]
    text = "_".join([re.sub(r"^\W+", "", safe[0]) or "Unknown", safe[1] or "Unknown"])
    if not UNSAFE.search(maker + name) and len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}-{hashlib.sha256(f'{maker}_{name}'.encode()).hexdigest()[:4]}"


def label_of(names: Mapping[str, Sequence[tuple[str, str]]], make: str, model: str) -> str:
    """The label of a camera, of labels with the makes and models that are theirs; empty where it is none of them. A label
    may leave out words of the name, as `1100D` those of `Canon EOS 1100D`; it then also fits the successor `... Mark II`.
    """
    maker, wanted = same_camera(make, model)
    keys = {label: [same_camera(*name) for name in known] for label, known in names.items()}
    exact = (label for label, known in keys.items() if (maker, wanted) in known)
    words = _words(wanted)
    shorter = (
        label
        for label, known in keys.items()
        if any(own == maker and name and _words(name) <= words for own, name in known)
    )
    return next(exact, next(shorter, ""))


def _words(name: str) -> set[str]:
    return set(re.split(r"[\s_-]+", name))


def _is_in(words: set[str], word: str) -> bool:
    """Whether a word such as `CO.,LTD.` consists of these words."""
    parts = re.findall(r"[^\W_]+", word.casefold())
    return bool(parts) and words.issuperset(parts)


def _without_first(model: str, makers: set[str]) -> str:
    """The model without the maker's name or the company's words that it begins with; empty where nothing is to be taken off, or
    nothing would be left.
    """
    for maker in makers:
        following = model[len(maker) :]
        if maker and model[: len(maker)].casefold() == maker and not following[:1].isalnum():
            return following.lstrip(" -_.,")
    words = model.split()
    count = next((n for n, word in enumerate(words) if not _is_in(COMPANY, word)), 0)
    return " ".join(words[count:]) if any(_is_in(FORMS, word) for word in words[:count]) else ""
