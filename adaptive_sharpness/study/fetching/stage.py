"""The jobs that fetch a data set and prepare it."""

from collections.abc import Mapping
from pathlib import Path

from adaptive_sharpness import plugins
from adaptive_sharpness.study.fetching import fetch as sources_of
from adaptive_sharpness.study.fetching.soundness import sound_dataset
from adaptive_sharpness.study.running.job import Here


def prepare(here: Here, manifest: str, block: Mapping, output: str) -> None:
    """Parse the raw files of a data set, after a check of their hashes, and write it.

    Args:
        here: where the job runs.
        manifest: SHA256SUMS beside the raw files.
        block: dataset, its name; sha256, of each raw file; limit, how many examples to keep.
        output: a safetensors file.
    """
    raw, name = Path(manifest).parent, block["dataset"]
    sources_of.check(raw, block["sha256"])
    dataset = sound_dataset(name, plugins.resolve("datasets", name, here.folder)(raw))
    dataset.first(**block["limit"]).save(output)
