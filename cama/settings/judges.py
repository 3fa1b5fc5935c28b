"""Judges: classifiers and fingerprint extractors that others trained, each described by a YAML file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from cama import plugins
from cama.core.errors import CamaError
from cama.core.text import read_text
from cama.settings.spec import Spec, parse

FEWEST = 2  # labels
CHANNELS = {"rgb": 3, "bgr": 3, "luma": 1}
LARGEST = 2**20  # bytes of a YAML file
MOST = 1e6  # of numbers that grey levels are scaled by
Number = Annotated[float, Field(ge=-MOST, le=MOST)]


class JudgeSpec(Spec):
    """A judge, read from its YAML file. Its network takes patches, and gives scores of camera models, or residuals."""

    kind: Literal["classifier", "fingerprint"] = Field(
        "classifier",
        description="`classifier`, or `fingerprint`: its residuals are compared with those of photographs of each camera model",
    )
    network: str = Field("", description="ONNX file, beside the YAML file if its path is relative")
    callable: str = Field("", description=f"in place of `network`: a name among the entry points `{plugins.JUDGES}`")
    labels: tuple[str, ...] = Field(
        (), description="camera models in the order of the scores, as `Make_Model` (`classifier`)"
    )
    output: Literal["logits", "probabilities", "logarithms"] = Field(
        "logits", description="what the scores are (`classifier`)"
    )
    patch: int = Field(0, strict=True, ge=0, le=16384, description="side of a patch in pixels; 0 for the whole picture")
    patches: Literal["", "centre", "grid"] = Field(
        "",
        description="which patches: the one in the centre, or whole ones side by side, spread evenly; empty: `grid` for"
        " a classifier, `centre` for a fingerprint, the only choice there",
    )
    most: int = Field(16, ge=1, le=4096, description="most patches of a picture (`grid`)")
    vote: Literal["mean", "majority"] = Field(
        "mean", description="how patches make one answer: the mean of their probabilities, or the share of patches"
    )
    channels: Literal["rgb", "bgr", "luma"] = Field("rgb", description="the channels and their order")
    layout: Literal["nchw", "nhwc"] = Field("nchw", description="the order of the input's axes")
    range: tuple[Number, Number] = Field((0.0, 1.0), description="what the grey levels 0 and 255 become")
    mean: tuple[Number, ...] = Field(
        (), description="what is taken off each channel after that; empty for nothing", max_length=3
    )
    deviation: tuple[Annotated[float, Field(ge=1 / MOST, le=MOST)], ...] = Field(
        (), description="what each channel is divided by after that; empty for nothing", max_length=3
    )
    attribution: Literal["correlation", "linear"] = Field(
        "correlation",
        description="how a residual is attributed: by its correlation with the mean of each camera model's, or by a linear"
        " classifier of the residuals (`fingerprint`)",
    )
    references: str = Field(
        "",
        description="folder with a folder of photographs for each camera model, named `Make_Model`, beside the YAML file if its"
        " path is relative; in the workflow empty for the examiner's photographs (`fingerprint`)",
    )

    @model_validator(mode="after")
    def _complete(self) -> "JudgeSpec":
        if bool(self.network) == bool(self.callable):
            found = f"{self.network!r} and {self.callable!r}" if self.network else "neither"
            raise ValueError(f"network, callable: found {found}, expected one of the two")
        for name in ("channels", "layout", "range", "mean", "deviation"):
            if self.callable and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(
                    f"{name}: found {getattr(self, name)!r}, which only a network has: a callable takes patches as they are"
                )
        if self.kind == "classifier":
            if len(self.labels) < FEWEST or len(set(self.labels)) < len(self.labels):
                raise ValueError(f"labels: found {list(self.labels)}, expected {FEWEST} or more, each once")
            if self.references:
                raise ValueError("references: found some, which only a fingerprint is compared with")
            if self.attribution != "correlation":
                raise ValueError(f"attribution: found {self.attribution!r}, which only a fingerprint has")
        elif self.labels:
            raise ValueError(
                f"labels: found {list(self.labels)}, expected none: those of a fingerprint are its references'"
            )
        elif self.patch == 0 or self.patches == "grid" or self.vote == "majority":
            raise ValueError(
                f"patch, patches, vote: found {self.patch}, {self.patches or 'centre'}, {self.vote}, expected a side in"
                " pixels, centre and mean for a fingerprint"
            )
        if self.range[0] == self.range[1]:
            raise ValueError(f"range: found {list(self.range)}, expected two values")
        for name in ("mean", "deviation"):
            count, expected = len(getattr(self, name)), CHANNELS[self.channels]
            if count not in (0, expected):
                raise ValueError(f"{name}: found {count} values, expected {expected} for the channels {self.channels}")
        return self


def check_targets(path: Path, labels: Sequence[str], targets: Sequence[str], key: str = "labels") -> None:
    """A CamaError where the `labels` of the judge at `path`, which its `key` gives, lack one of the `targets`."""
    unknown = [target for target in targets if target not in labels]
    if unknown:
        known = ", ".join(labels) or "none"
        raise CamaError(f"{path}: {key}: found {known}, expected {unknown[0]} among them, which is a target")


class FitJudgeSpec(Spec):
    """Stage `fit-judge`."""


class JudgeStageSpec(Spec):
    """Stage `judge`."""

    seed: int = 1
    name: str = "identity"
    judge: str = "judge"
    oracle: bool = Field(False, description="as that of stage `evaluate`")
    saves: tuple[str, ...] = ("png",)


def read_judge(path: Path) -> JudgeSpec:
    """The description of a judge. A missing file, other YAML or a wrong key is a CamaError of one line."""
    import yaml

    class Loader(yaml.SafeLoader):
        """Without aliases, by which a small file may describe an endless one."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError("found an alias, expected the value itself")
            return super().compose_node(parent, index)

    if not path.is_file():
        raise CamaError(f"{path}: no such judge, expected its YAML file")
    if path.suffix.lower() in (".onnx", ".safetensors"):
        other = "the YAML file that describes it" if path.suffix.lower() == ".onnx" else "it as --classifier"
        raise CamaError(f"{path}: found a network, expected {other}")
    if path.stat().st_size > LARGEST:
        raise CamaError(f"{path}: found a file of {path.stat().st_size} bytes, expected at most {LARGEST} of a judge")
    try:
        values = yaml.load(read_text(path), Loader=Loader)  # noqa: S506 (a safe loader)
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise CamaError(f"{path}: not the YAML file of a judge ({' '.join(str(error).split())})") from None
    if not isinstance(values, dict):
        found = "an empty file" if values is None else f"a {type(values).__name__}"
        raise CamaError(f"{path}: found {found}, expected the keys and values of a judge")
    return parse(JudgeSpec, values, str(path))
