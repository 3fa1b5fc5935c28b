"""`config.yaml` and overlays from their files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cama.core.errors import CamaError
from cama.settings.config import Config
from cama.settings.spec import parse


def load_config(*paths: Path) -> Config:
    """Read `config.yaml` and lay overlays over it, as Snakemake does: mappings merge, all else is replaced."""
    import yaml

    merged: dict[str, Any] = {}
    for path in paths:
        if not path.exists():
            raise CamaError(f"{path}: no such config file")
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise CamaError(f"{path}: not YAML ({' '.join(str(error).split())})") from None
        if not isinstance(values, dict):
            raise CamaError(f"{path}: found a {type(values).__name__}, expected keys and values")
        merged = _merge(merged, values)
    return parse(Config, merged, str(paths[-1]))


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if both else value
    return merged
