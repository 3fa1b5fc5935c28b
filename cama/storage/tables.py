"""Tables in CSV."""

from pathlib import Path
from typing import Any

import pandas as pd

from cama.core.errors import CamaError
from cama.core.text import encoding_of
from cama.storage.files import delay_signals


def read_csv(path: Path, **options: Any) -> pd.DataFrame:
    """Read a table with pandas; a missing file, or one that is no table, is an error that names it."""
    if not path.exists():
        raise CamaError(f"{path}: no such table")
    try:
        with delay_signals():
            return pd.read_csv(path, encoding=encoding_of(path), **options)
    except (ValueError, OSError) as error:  # pandas' own errors are ValueErrors
        raise CamaError(f"{path}: not a table in CSV ({' '.join(str(error).split())})") from error
