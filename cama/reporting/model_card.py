"""The model card of a model file, in Markdown (Mitchell et al. 2019): what it is, what was measured, and what was not."""

import pandas as pd

from cama.models.anonymizer import Header
from cama.reporting.formats import to_markdown, with_intervals

SETS = {"in": "cameras it knows", "out": "cameras it does not know"}
RATE = ["targeted", "targeted_low", "targeted_high"]


def model_card(header: Header) -> str:
    """The card of a model file with this header."""
    trained = sum(header.photographs.values())
    owner = "simulated, invented cameras" if header.simulated else f"real cameras ({header.dataset})"
    parts = [
        f"# {header.name}",
        f"A generator G that changes a photograph so that classifiers of camera models take it for one of {len(header.labels)}"
        f" others, and the evaluator E that it was trained against ({', '.join(header.evaluators)}). Both were trained on"
        f" {trained} photographs of {owner}: {_counted(header.photographs)}.",
        "## Measured",
        *_measured(header),
        "## Not measured, not promised",
        _limits(header),
        "## Container profiles",
        _profiles(header),
        "## Made with",
        ", ".join(f"{name} {version}" for name, version in header.versions.items()) + ".",
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _measured(header: Header) -> list[str]:
    summary = pd.DataFrame(header.scores.summary)
    if summary.empty:
        return ["Nothing."]
    classifiers = pd.DataFrame(header.scores.transfer)
    known = classifiers[(classifiers.set == "in") & (classifiers.labels == classifiers.labels.min())]
    clean = known.groupby("classifier", sort=False).clean_accuracy.first()
    named = ", ".join(f"{name} {accuracy:.2f}" for name, accuracy in clean.items())
    shown = summary.assign(set=summary.set.map(SETS).fillna(summary.set))
    columns = [
        "set",
        "save",
        "labels",
        "photographs",
        *RATE,
        "targeted_worst_classifier",
        "targeted_worst_label",
        "psnr",
    ]
    several = f" Means over {header.runs} trainings, of which the first is in this file." if header.runs > 1 else ""
    texts = [
        f"Targeted success: the share of test photographs that target classifiers, which the model never saw, take for the"
        f" camera aimed at; means over classifiers, 95% intervals. Their accuracy on untouched photographs: {named}.{several}"
        " `labels` is how many cameras the classifiers know.",
        to_markdown(with_intervals(shown.reindex(columns=columns), 2), 2),
    ]
    labels = pd.DataFrame(header.scores.per_label)
    if not labels.empty:
        labels = labels[(labels.save == "png") & labels.classifier.isin(clean.index)]
        by_target = labels.groupby(["target", "set"], sort=False).targeted.mean().unstack("set")
        by_target = by_target.reindex(header.labels, columns=[name for name in SETS if name in by_target])
        by_target.columns = [SETS[name] for name in by_target]
        texts += ["By the camera aimed at, after an 8-bit save:", to_markdown(by_target.reset_index(), 2)]
    return texts


def _limits(header: Header) -> str:
    source = (
        "The cameras are simulated: nothing was measured against classifiers of real ones."
        if header.simulated
        else "Nothing was measured on photographs or classifiers of others."
    )
    return (
        f"{source} The fingerprint of the individual device, what the picture shows, the number of its pixels and what an"
        " upload tells are untouched, an examiner who trains on attacked pictures may find them, and no picture becomes"
        " untraceable. Do not use it to attribute a picture to somebody."
    )


def _profiles(header: Header) -> str:
    if not header.profiles:
        return (
            "None: the photographs are not as one camera model wrote each. Pictures are written in a neutral encoding."
        )
    missing = [label for label in header.labels if label not in header.profiles]
    lacking = f" None of {', '.join(missing)}: pictures for these are written in a neutral encoding." if missing else ""
    return f"Learnt from {_counted({k: v.photographs for k, v in header.profiles.items()})} photographs.{lacking}"


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
