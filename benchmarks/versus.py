"""The study against the notebooks' way: the same work, by a machine of two cores, in time a model."""

from dataclasses import replace

from benchmarks.bench import PROCESSES, Bench, seconds
from benchmarks.pairs import Row, in_turn
from benchmarks.places import PLUGINS
from benchmarks.work import Work

UNIT = "s a model"


def row(
    bench: Bench,
    topic: str,
    words: str,
    work: Work,
    *,
    protocol: str = "report",
    part: str = "both",
    models: tuple[int, int],
    least: float,
    tolerance: float,
    checked: Work | None = None,
) -> Row:
    """Measure the two ways in turn. All models are the same amount of work, so that the ratio is one of times a model.

    The notebooks' way is one process with torch's default number of threads, the study's is two with one thread each.

    Args:
        bench: the run.
        topic: of the row.
        words: what is done.
        work: the same.
        protocol: "report" or "released".
        part: "train", "measure" or "both".
        models: how many the notebooks' way does one after the other, and how many each process of the study's.
        least: the ratio wanted.
        tolerance: by which share of themselves the losses of the two ways may differ.
        checked: less of the same work, to hold the two ways against each other, where in all of it rounding makes two
            models of one.

    Returns:
        The row.

    Raises:
        AssertionError: if both ways do not compute the same.
    """
    plain_models, each = (bench.size(models[0], 1), bench.size(models[1], 1))
    shards = [range(first * each, (first + 1) * each) for first in range(PROCESSES)]
    checkpoints = [str(bench.folder / f"{topic}-{shard.start}.safetensors") for shard in shards]
    if part == "measure":
        _together(bench, [("train", work, shard, path) for shard, path in zip(shards, checkpoints, strict=True)])
    tasks = [(part, work, shard, path) for shard, path in zip(shards, checkpoints, strict=True)]
    check(bench, checked or work, protocol, part, checkpoints[0], tolerance)

    def plain() -> float:
        call = (notebooks_way, part, protocol, work, range(plain_models), checkpoints[0])
        return seconds(lambda: bench.plain.submit(*call).result()) / plain_models

    def study() -> float:
        return seconds(lambda: _together(bench, tasks)) / (PROCESSES * each)

    pairs = in_turn(plain, study, bench.pairs, warm=not bench.smoke)
    return Row(topic, words, "notebooks' way", "study", UNIT, pairs, least=least)


def check(bench: Bench, work: Work, protocol: str, part: str, checkpoint: str, tolerance: float) -> None:
    """Hold the two ways against each other, on one model.

    Args:
        bench: the run.
        work: what is done.
        protocol: "report" or "released".
        part: "train", "measure" or "both".
        checkpoint: of the model, if it is not trained.
        tolerance: by which share of themselves losses may differ; a rise of the loss, by this share of the loss.

    Raises:
        AssertionError: if they differ.
    """
    plain = bench.plain.submit(notebooks_way, part, protocol, work, range(1), checkpoint).result()[0]
    require_same(plain, bench.study[0].submit(as_notebooks, part, work, checkpoint).result(), tolerance)


def require_same(plain: dict[str, float], study: dict[str, float], tolerance: float) -> None:
    """Refuse a comparison of two ways that compute something else.

    Args:
        plain: the losses and the sharpness of a model by the plain loop.
        study: the same by the study, and base_loss where there is a sharpness.
        tolerance: by which share of themselves losses may differ; a rise of the loss, by this share of the loss.

    Raises:
        AssertionError: if they differ.
    """
    for name, wanted in plain.items():
        scale = abs(wanted) if name != "sharpness" else study["base_loss"]
        if not abs(study[name] - wanted) <= tolerance * scale:
            raise AssertionError(f"{name}: got {study[name]:.9g} from the study, wanted the plain loop's {wanted:.9g}")


def notebooks_way(part: str, protocol: str, work: Work, seeds: range, checkpoint: str) -> list[dict[str, float]]:
    """The work by plain loops; runs in a process of its own.

    Args:
        part: "train", "measure" or "both".
        protocol: "report" or "released".
        work: what to do.
        seeds: which models.
        checkpoint: where they are, if they are not trained.

    Returns:
        The losses of each model and its sharpness, as far as they are computed.
    """
    from adaptive_sharpness.study.measuring.checkpoint import read_networks
    from adaptive_sharpness.study.running import job
    from benchmarks import notebook

    found = []
    trained = {}
    if part == "measure":
        made_from = job.made_from(work.pool, work.dataset)
        trained = dict(read_networks(work.settings, checkpoint, made_from, PLUGINS))
    for seed in seeds:
        line = {}
        if part == "measure":
            network = notebook.as_released(work.settings, trained[seed]).eval()
        else:
            network, line["train_loss"], line["test_loss"] = notebook.train(work, seed)
        if part != "train":
            values = getattr(notebook, protocol)(work, network, seed)
            line["sharpness"] = sum(values) / len(values)
        found.append(line)
    return found


def studys_way(part: str, work: Work, seeds: range, checkpoint: str) -> None:
    """The work as the study's jobs do it; runs in a process of its own.

    Args:
        part: "train", "measure" or "both".
        work: what to do.
        seeds: which models.
        checkpoint: written, or where they are, if they are not trained.
    """
    from benchmarks import study

    if part != "measure":
        study.train(work, seeds, checkpoint)
    if part != "train":
        study.measure(work, checkpoint)


def as_notebooks(part: str, work: Work, checkpoint: str) -> dict[str, float]:
    """What the study finds of seed 0 where it sees all that the plain loop sees: dropout draws on the whole graph.

    Args:
        part: "train", "measure" or "both".
        work: what to do.
        checkpoint: written, or where the model is.

    Returns:
        Its losses, base_loss and sharpness, as far as they are computed.
    """
    from benchmarks import study

    found = {}
    if part != "measure":
        (row,) = study.train(work, range(1), checkpoint)
        found = {name: row[name] for name in ("train_loss", "test_loss")}
    if part != "train":
        way = {key: value for key, value in work.way.items() if key != "hops"}
        table = study.measure(replace(work, way=way), checkpoint)
        rows = table[table["headline"] & (table["seed"] == 0)]
        found |= {"base_loss": rows["base_loss"].mean(), "sharpness": rows["value"].mean()}
    return found


def _together(bench: Bench, tasks: list[tuple]) -> None:
    """One task a process, at the same time."""
    for future in [executor.submit(studys_way, *task) for executor, task in zip(bench.study, tasks, strict=True)]:
        future.result()
