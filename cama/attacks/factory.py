"""An attack from its settings and the adversary's files."""

from pathlib import Path

from cama.attacks.classical import ATTACKS, Attack
from cama.attacks.gradient import gradient_attack
from cama.attacks.purify import purify_attack
from cama.attacks.spectrum import spectrum_attack
from cama.attacks.trained import learned_attack
from cama.compute.device import Compute
from cama.core.errors import CamaError
from cama.models.evaluator import load_evaluator
from cama.settings.attacks import MethodSpec
from cama.settings.training import ComputeSpec


def build_attack(
    method: MethodSpec,
    targets: tuple[str, ...],
    compute: ComputeSpec,
    seed: int,
    model: Path | None = None,
    evaluators: list[Path] | None = None,
    patches: Path | None = None,
) -> Attack:
    """The attack of any kind but `oracle`. `model`: a generator's file, or the denoiser's; `evaluators`: files of E's
    classifiers, in the order of the settings, or those of the generator, where its pictures are refined; `patches`: the
    adversary's patch file, for `spectrum`.
    """
    if method.kind == "learned":
        if model is None:
            raise CamaError("--model: found none, expected the model file of a generator")
        return learned_attack(model, method, targets, Compute(compute), evaluators or [])
    if method.gradient:
        evaluator = load_evaluator(method.evaluators, evaluators or [], targets)
        return gradient_attack(method, evaluator, Compute(compute), seed)
    if method.kind == "purify":
        if model is None:
            raise CamaError("--model: found none, expected the model file of the adversary's denoiser")
        return purify_attack(model, method, compute)
    if method.kind == "spectrum":
        if patches is None:
            raise CamaError("--patches: found none, expected the adversary's patch file")
        apply, strengths = spectrum_attack(patches, method, targets)
        for source, (alpha, level) in strengths.items():
            print(
                f"spectrum, {source} source: alpha {alpha:.2f}, {level:.1f} dB on the adversary's photographs",
                flush=True,
            )
        return apply
    return ATTACKS[method.kind](method, targets, seed)
