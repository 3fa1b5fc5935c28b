"""Conditional adversarial camera model anonymization.

The names below are the public API; each is imported when it is first used, so that `import cama` is fast. Arrays of pictures
are uint8, (H, W, 3), RGB; errors that a caller can mend are `cama.CamaError`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what `__getattr__` gives, for type checkers
    from cama.api import Model as Model
    from cama.api import device_fingerprint as device_fingerprint
    from cama.api import inspect as inspect
    from cama.api import load_config as load_config
    from cama.api import load_model as load_model
    from cama.api import noise_residual as noise_residual
    from cama.api import pce as pce
    from cama.api import psnr as psnr
    from cama.api import score as score
    from cama.api import success_rate as success_rate
    from cama.attacks.classical import ATTACKS as ATTACKS
    from cama.core.errors import CamaError as CamaError
    from cama.data.conventions import CONVENTIONS as CONVENTIONS
    from cama.judges.judge import JUDGES as JUDGES
    from cama.models.classifiers import ARCHITECTURES as ARCHITECTURES
    from cama.models.frontends import FRONTENDS as FRONTENDS

__version__ = "0.2.0"

_API = ("Model", "device_fingerprint", "inspect", "load_config", "load_model", "noise_residual", "pce", "psnr", "score")
_PUBLIC = {
    **dict.fromkeys((*_API, "success_rate"), "cama.api"),
    "ARCHITECTURES": "cama.models.classifiers",
    "ATTACKS": "cama.attacks.classical",
    "CONVENTIONS": "cama.data.conventions",
    "FRONTENDS": "cama.models.frontends",
    "JUDGES": "cama.judges.judge",
    "CamaError": "cama.core.errors",
}
__all__ = [*_PUBLIC, "__version__"]


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'cama' has no attribute {name!r}")
    value = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
