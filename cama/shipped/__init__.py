"""The model file that comes with cama; `config/shipped.yaml` trains it."""

from pathlib import Path

from cama.core.errors import CamaError

SHIPPED = Path(__file__).with_name("shipped.safetensors")


def model_file(path: Path | None) -> Path:
    """This model file, or where none is named the one that comes with cama; its absence is a CamaError."""
    if path is None and not SHIPPED.exists():
        raise CamaError("--model: found none, and this cama came without a model file: expected one of the workflow")
    return path or SHIPPED
