"""A judge as it is used: a picture in, a score of each camera model out."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cama import plugins
from cama.core.errors import CamaError
from cama.judges.fingerprints import Fingerprints, fit_fingerprints
from cama.judges.isolated import VALUES, OnnxNetwork
from cama.judges.patches import cut, network_input, probabilities, vote
from cama.settings.judges import read_judge

JUDGES: plugins.Registry[Callable[..., Any]] = plugins.Registry(plugins.JUDGES, {})


class Judge:
    """A classifier, or a fingerprint extractor, that others trained.

    Attributes: `name`, its file's without the suffix; `spec`, its description; `fingerprints`, what the residuals of a
    fingerprint extractor are compared with, None until they are given.
    """

    def __init__(self, path: Path, fingerprints: Fingerprints | None = None, network: Path | None = None) -> None:
        """Read the YAML file and start what it names; `network`: where its ONNX file lies, if not where it says. What is
        missing or does not fit is a CamaError that names the file.
        """
        self.path, self.name, self.spec = path, path.stem, read_judge(path)
        self.fingerprints = fingerprints
        self._network = self._start(network)

    @property
    def labels(self) -> tuple[str, ...]:
        """The camera models that it can name."""
        if self.spec.kind == "classifier":
            return self.spec.labels
        return self.fingerprints.labels if self.fingerprints else ()

    @property
    def measure(self) -> str:
        """What its scores are: `probability`, `correlation`, or `decision value`."""
        kinds = {"correlation": "correlation", "linear": "decision value"}
        return "probability" if self.spec.kind == "classifier" else kinds[self.spec.attribution]

    def scores(self, picture: np.ndarray) -> np.ndarray:
        """The score (len(labels),) of each camera model for a picture (H, W, 3), uint8."""
        try:
            if self.spec.kind == "fingerprint":
                return self.fingerprints.scores(self._residual(picture))
            scores = self._answer(cut(picture, self.spec))
            expected = (len(scores), len(self.spec.labels))
            if scores.shape != expected:
                raise CamaError(
                    f"found scores of shape {list(scores.shape)}, expected {list(expected)}: one for each of its labels"
                )
            return vote(probabilities(scores, self.spec.output), self.spec.vote)
        except CamaError as error:
            raise CamaError(f"{self.path}: {error}") from error

    def try_on(self, picture: np.ndarray) -> None:
        """A CamaError where it cannot take a picture (H, W, 3), uint8: before long work."""
        if self.spec.kind == "classifier":
            self.scores(picture)
            return
        try:
            self._residual(picture)
        except CamaError as error:
            raise CamaError(f"{self.path}: {error}") from error

    def learn(self, photographs: Mapping[str, Iterable[np.ndarray]]) -> Fingerprints:
        """Take the residuals of pictures (H, W, 3), uint8, of each camera model as what others are compared with."""
        try:
            self.fingerprints = fit_fingerprints(photographs, self._residual, self.spec.attribution)
        except CamaError as error:
            raise CamaError(f"{self.path}: {error}") from error
        return self.fingerprints

    def _residual(self, picture: np.ndarray) -> np.ndarray:
        found = self._answer(cut(picture, self.spec))
        residual = found[0].astype(np.float64)
        if residual.ndim == 3:
            # the network's channels may stand first or last
            residual = residual.mean(0 if residual.shape[0] in (1, 3) else -1)
        if residual.ndim != 2:
            raise CamaError(f"found a residual of shape {list(found.shape)}, expected (N, C, h, w) or (N, h, w)")
        if not np.isfinite(residual).all():
            raise CamaError("found a residual that is not finite")
        return residual

    def _answer(self, patches: np.ndarray) -> np.ndarray:
        if isinstance(self._network, OnnxNetwork):
            each = self._network.at_once or max(1, VALUES // patches[0].size)
            return np.concatenate([self._run(patches[at : at + each]) for at in range(0, len(patches), each)])
        try:
            found = np.asarray(self._network(patches), np.float64)
        except CamaError:
            raise
        except Exception as error:  # whatever the package raises
            raise CamaError(f"{self.spec.callable} failed ({type(error).__name__}: {error})") from error
        if found.ndim == 0 or len(found) != len(patches):
            raise CamaError(
                f"{self.spec.callable}: found an answer of shape {list(found.shape)} for {len(patches)} patches, expected one"
                " for each"
            )
        return found

    def _run(self, patches: np.ndarray) -> np.ndarray:
        """What the network gives for some patches; a network that takes a fixed number gets the last one again for the rest."""
        lacking = (self._network.at_once or len(patches)) - len(patches)
        images = network_input(
            np.concatenate([patches, patches[-1:].repeat(lacking, 0)]) if lacking else patches, self.spec
        )
        self._check_shape(self._network.shape, images.shape)
        return self._network(images)[: len(patches)]

    def _check_shape(self, expected: list[Any], found: tuple[int, ...]) -> None:
        wrong = [axis for axis, size in enumerate(expected[1:], 1) if isinstance(size, int) and size != found[axis]]
        if wrong:
            raise CamaError(
                f"the network takes inputs {expected}, found {list(found[1:])} for each patch: expected other `patch`,"
                " `channels` or `layout`"
            )

    def _start(self, network: Path | None) -> Callable[[np.ndarray], np.ndarray]:
        if self.spec.network:
            return OnnxNetwork(network or self.path.parent / self.spec.network)
        if self.spec.callable not in JUDGES:
            known = ", ".join(JUDGES) or "one of an installed package"
            raise CamaError(
                f"{self.path}: callable: found {self.spec.callable!r}, expected a {plugins.JUDGES}: {known}"
            )
        return JUDGES[self.spec.callable]
