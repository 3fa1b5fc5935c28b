"""The steps of MI-FGSM (Dong et al. 2018), targeted, and the bound that fits a PSNR: of arrays and of tensors."""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import TypeVar

Images = TypeVar("Images")  # np.ndarray or torch.Tensor
MOMENTUM = 1.0  # its authors' value
REACHED = {"fgsm": 1.0, "pgd": 0.7, "mi_fgsm": 0.7}  # root mean square of a change, in bounds: all pixels of one step


def momentum_steps(images: Images, bound: float, steps: int, direction: Callable[[int, Images], Images]) -> Images:
    """Images (N, 3, H, W), float32 in [-1, 1], after `steps`, each pixel within `bound` grey levels of the image's.

    `direction` gives, for the number of a step and the images so far, where each is to go.
    """
    own = _functions_of(images)
    reach, changed, momentum = bound / 127.5, images, own.zeros_like(images)
    for step in range(steps):
        way = direction(step, changed)
        strength = own.mean(own.abs(way), axis=(1, 2, 3), keepdims=True)
        momentum = MOMENTUM * momentum + way / own.clip(strength, 1e-12, None)
        changed = within(changed + reach / steps * own.sign(momentum), images, reach)
    return changed


def within(changed: Images, images: Images, reach: float) -> Images:
    """The changed images, no pixel further than `reach` from its own, in [-1, 1]."""
    own = _functions_of(images)
    return own.clip(own.clip(changed, images - reach, images + reach), -1, 1)


def fitting_bound(kind: str, psnr: float) -> float:
    """The bound in grey levels at which pictures have about this PSNR in dB, so that little is left to be scaled."""
    return float(255 * 10 ** (-psnr / 20) / REACHED[kind])


def _functions_of(images: Images) -> ModuleType:
    """numpy or torch, whose functions here have the same names: the tool works without torch, which is large."""
    return sys.modules[type(images).__module__.partition(".")[0]]
