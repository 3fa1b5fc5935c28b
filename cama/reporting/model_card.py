"""The model card of a model file, in Markdown (Mitchell et al. 2019): what it is, what was measured, and what was not."""

import pandas as pd

from cama.models.packaged import Header
from cama.reporting.formats import SET_NAMES, merge_intervals, to_markdown
from cama.reporting.tables import counted, headline

ONE_BODY = "one body"  # in how a data set is described
COLUMNS = ["set", "save", "labels", "photographs", "targeted", "targeted_low", "targeted_high", "chance", "oracle"]
COLUMNS += ["targeted_worst_classifier", "targeted_worst_label", "psnr"]


def model_card(header: Header) -> str:
    """The card of a model file with this header."""
    trained = sum(header.photographs.values())
    owner = "simulated, invented cameras" if header.simulated else f"real cameras ({header.dataset})"
    parts = [
        f"# {header.name}",
        f"A generator G that changes a photograph so that classifiers of camera models take it for one of {len(header.labels)}"
        f" others, and the evaluator E that G was trained against ({', '.join(header.evaluators)}).{_judges(header)} All"
        f" were trained on {trained} photographs of {owner}: {_counted(header.photographs)}.",
        _strength(header),
        "## Measured",
        *_measured(header),
        "## Not measured, not promised",
        _limits(header),
        "## Container profiles",
        _profiles(header),
        *_credits(header),
        "## Made with",
        ", ".join(f"{name} {version}" for name, version in header.versions.items()) + ".",
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _judges(header: Header) -> str:
    """What other classifiers the file holds."""
    if not header.held_out:
        return ""
    names = ", ".join(header.judges)
    return f" Judges that it was not trained with ({names}) chose among its states, and choose a target (`auto`)."


def _strength(header: Header) -> str:
    """At what PSNR its pictures are made."""
    if not header.psnr:
        return "The change is as strong as G makes it, and no PSNR is held."
    held = ", or is held back" if header.headroom else ""
    if header.refine:
        return (
            f"The change of each picture is G's, and of {header.refine} gradient steps on E from there, by"
            f" {', '.join(header.refine_by)} in turn, and is scaled"
            f" so that the whole picture has a PSNR of {header.psnr:g} dB before it is saved.{_evenness(header)}"
        )
    return (
        f"The change of each picture is scaled so that the whole picture has a PSNR of {header.psnr:g} dB before it is saved;"
        f" more, where four times what G changes is too little for that{held}.{_evenness(header)}"
    )


def _evenness(header: Header) -> str:
    if not header.headroom:
        return ""
    return (
        " What varies over more than about 32 pixels is taken out of G's change, and no region of 16x16 pixels has much more"
        f" than {header.headroom:g} dB more of it than that PSNR asks on average."
    )


def _measured(header: Header) -> list[str]:
    """Success on either set of cameras, and towards each camera."""
    summary = pd.DataFrame(header.scores.summary)
    if summary.empty:
        return ["Nothing."]
    transfer = pd.DataFrame(header.scores.transfer)
    known = counted(transfer[transfer.set == "in"])
    accuracies = known.groupby("classifier", sort=False).clean_accuracy.first()
    named = ", ".join(f"{name} {accuracy:.2f}" for name, accuracy in accuracies.items())
    number = int(known.photographs.max())
    fewest = known[known.labels == transfer.labels.min()].classifier
    trainings = f" Means over {header.runs} trainings, of which the first is in this file." if header.runs > 1 else ""
    shown = (
        summary.assign(set=summary.set.map(SET_NAMES).fillna(summary.set))
        .reindex(columns=COLUMNS)
        .dropna(axis="columns", how="all")
    )
    oracle = " `oracle`: of what that camera itself took of the same scenes." if "oracle" in shown else ""
    return [
        f"Targeted success: the share of test photographs that target classifiers, which the model never saw, take for the"
        f" target camera; means over classifiers, 95% intervals. `chance` is the share that they take for it untouched."
        f"{oracle} Their accuracy on the {number} photographs of these cameras, untouched: {named}.{trainings}"
        " In-distribution: photographs of the cameras that the model was trained on; out-of-distribution: of others. `labels`"
        " is how many cameras the classifiers know.",
        to_markdown(merge_intervals(shown, 2), 2),
        *_by_target(header, fewest),
    ]


def _by_target(header: Header, classifiers: pd.Series) -> list[str]:
    """Targeted success towards each camera, the mean over these classifiers."""
    labels = pd.DataFrame(header.scores.per_label)
    if labels.empty:
        return []
    labels = headline(labels)
    labels = labels[labels.classifier.isin(classifiers)]
    means = labels.groupby(["target", "set"], sort=False)[["targeted", "chance"]].mean()
    shown = means.targeted.map("{:.2f}".format) + " (" + means.chance.map("{:.2f}".format) + ")"
    table = shown.unstack("set").reindex(
        header.labels, columns=[name for name in SET_NAMES if name in labels.set.values]
    )
    below = [f"{target}, {SET_NAMES[kind]}" for target, kind in means.index[means.targeted < means.chance]]
    warning = (
        [f"**Fewer than untouched**, so that the change leads away from the target: {'; '.join(below)}."]
        if below
        else []
    )
    return [
        f"By target camera, under the save `{labels.save.iloc[0]}`; in brackets `chance`, of untouched photographs:",
        to_markdown(table.rename(columns=SET_NAMES).reset_index(), 2),
        *warning,
    ]


def _limits(header: Header) -> str:
    source = (
        "The cameras are simulated: nothing was measured against classifiers of real ones."
        if header.simulated
        else "Nothing was measured on photographs or classifiers of others."
    )
    body = (
        " Of each camera model one body was there, on one or a few outings: what classifiers know may be the body or outing,"
        " and another body of the same model may be told apart."
        if ONE_BODY in header.dataset
        else ""
    )
    return (
        f"{source}{body} The fingerprint of the individual device, what the picture shows, the number of its pixels and what an"
        " upload reveals are untouched, an examiner who trains on attacked pictures may detect them, and no picture becomes"
        " untraceable. Do not use it to attribute a picture to somebody."
    )


def _credits(header: Header) -> list[str]:
    """Who took the photographs, and under which licence the file is given away, where that is said."""
    said = [header.credits, f"This file: {header.licence}." if header.licence else ""]
    return ["## Credits and licence", *filter(None, said)] if any(said) else []


def _profiles(header: Header) -> str:
    if not header.profiles:
        return (
            "None: the photographs are not as one camera model wrote each. Pictures are written in a neutral encoding."
        )
    missing = [label for label in header.labels if label not in header.profiles]
    lacking = f" None of {', '.join(missing)}: pictures for these are written in a neutral encoding." if missing else ""
    odd = {name: profile.left_out for name, profile in header.profiles.items() if profile.left_out}
    left_out = f" Left out as damaged, edited or another camera's: {_counted(odd)}." if odd else ""
    learnt = _counted({name: profile.photographs for name, profile in header.profiles.items()})
    return f"Learnt from {learnt} photographs.{left_out}{lacking}"


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
