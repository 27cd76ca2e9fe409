"""A table of runs from a csv or parquet file, or from standard input."""

import io
import sys
from pathlib import Path

import pandas as pd

STANDARD_INPUT = "-"
PARQUET = b"PAR1"  # with which such a file begins


def read_runs(source: str) -> pd.DataFrame:
    """Return a table of runs, a row a run.

    Args:
        source: a csv or parquet file, told apart by how it begins; - for standard input.

    Returns:
        The table, its columns named by text.

    Raises:
        ValueError: if it cannot be read or has no rows.

    Example:
        >>> _ = Path("runs.csv").write_text("lr,loss\\n0.1,2\\n0.2,3\\n")
        >>> read_runs("runs.csv")["loss"].tolist()
        [2, 3]
    """
    try:
        content = sys.stdin.buffer.read() if source == STANDARD_INPUT else Path(source).read_bytes()
        table = _parsed(content, source)
    except OSError as error:
        raise ValueError(f"{source}: got {error.strerror or error}, wanted a csv or parquet file") from None
    except (ValueError, UnicodeError) as error:  # the parsers' own errors are of these kinds
        said = " ".join(str(error).split()).rstrip(".")
        raise ValueError(f"{source}: got what cannot be read ({said}), wanted a csv or parquet file") from None
    if table.empty:
        raise ValueError(f"{source}: got a table without rows, wanted a row a run")
    return table.rename(columns=str)


def _parsed(content: bytes, source: str) -> pd.DataFrame:
    if content.startswith(PARQUET):
        return pd.read_parquet(io.BytesIO(content))
    compression = "gzip" if source.endswith(".gz") else None
    return pd.read_csv(io.BytesIO(content), compression=compression)
