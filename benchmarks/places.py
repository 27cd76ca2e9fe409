"""Where things lie."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
PLUGINS = str(ROOT / "studies/hammoud2023/plugins")  # what the notebooks do otherwise


def files(checkpoint: str) -> dict[str, str]:
    """What a job that trains writes beside a checkpoint and there, by the names that it has for them."""
    others = {name: f"{checkpoint}.{name}" for name in ("initial", "table", "test_losses")}
    return {"checkpoint": checkpoint, **others}
