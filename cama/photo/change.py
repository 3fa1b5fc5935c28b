"""What a model file does to the pixels of a photograph."""

from cama.attacks.learned import LearnedAttack
from cama.compute.device import Compute
from cama.models.packaged import Anonymizer


def packaged_attack(model: Anonymizer, compute: Compute) -> LearnedAttack:
    """The attack of a model file's generator and E."""
    header = model.header
    return LearnedAttack(model.generator, header.generator, compute, model.evaluator, header.refine)
