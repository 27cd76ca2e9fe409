"""The examples that a model is trained on: which, with which labels, and how they change from epoch to epoch."""

import json
import re
from tempfile import TemporaryDirectory

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional
from torchvision.transforms import v2

from adaptive_sharpness import plugins
from adaptive_sharpness.datasets import Dataset, Nodes, Rows
from adaptive_sharpness.landscape.randomness import default_generator, generator, number
from adaptive_sharpness.study.config.measures import Measurement
from adaptive_sharpness.study.config.pools import PoolSettings
from adaptive_sharpness.study.config.training import Training
from adaptive_sharpness.study.measuring.shard import measure_shard
from adaptive_sharpness.study.training.augmentation import augmented
from adaptive_sharpness.study.training.descent import shuffled_batches
from adaptive_sharpness.study.training.networks import initial_network
from adaptive_sharpness.study.training.shard import train_shard
from adaptive_sharpness.study.training.training_set import some_examples, training_set, with_label_noise

CPU = torch.device("cpu")
ZERO, ONE = torch.tensor(0.0), torch.tensor(1.0)


def _labels(n: int, classes: int = 5) -> Rows:
    return Rows(torch.arange(float(n))[:, None], torch.arange(n) % classes, ZERO, ONE)


def _training(**more) -> Training:
    stop = {"rule": "max_epochs", "max_epochs": 2}
    return Training.model_validate({"optimiser": {"name": "SGD", "lr": 0.1}, "batch_size": 4, "stop": stop, **more})


# A part of the examples


def test_some_examples_are_drawn_once_for_all_models_and_keep_their_order():
    rows = _labels(50)
    few, more = some_examples(rows, 10), some_examples(rows, 30)
    kept = few.inputs.flatten().tolist()
    assert kept == sorted(set(kept))
    assert kept != list(range(10))
    assert set(kept) < set(more.inputs.flatten().tolist())
    assert torch.equal(few.targets, few.inputs.flatten().long() % 5)
    assert torch.equal(training_set(_training(examples=10), rows, 1).inputs, few.inputs)
    assert torch.equal(training_set(_training(examples=10), rows, 2).inputs, few.inputs)


def test_of_a_graph_some_nodes_are_kept_and_all_edges():
    nodes = Nodes(torch.zeros(9, 1), torch.tensor([[0], [1]]), torch.arange(9).flip(0), torch.arange(9))
    few = some_examples(nodes, 3)
    assert torch.equal(few.nodes, 8 - few.targets)
    assert (len(few), few.edge_index is nodes.edge_index) == (3, True)


def test_more_examples_than_there_are_give_a_line():
    with pytest.raises(
        ValueError, match=r"^examples: got 6, wanted at most 5, as many as the data set has for training$"
    ):
        training_set(_training(examples=6), _labels(5), 0)


# Labels that are wrong


@pytest.mark.parametrize(("share", "replaced"), [(0.1, 100), (0.5, 500), (0.9994, 999), (0.0004, 0)])
def test_a_share_of_the_labels_is_replaced_by_another_class(share, replaced):
    rows = _labels(1000)
    noisy = with_label_noise(rows, share, seed=3, known=rows.targets)
    assert int((noisy.targets != rows.targets).sum()) == replaced
    assert set(noisy.targets.tolist()) == set(range(5))
    assert noisy.inputs is rows.inputs
    assert torch.equal(with_label_noise(rows, share, 3, rows.targets).targets, noisy.targets)


def test_each_other_class_is_as_likely_and_models_differ():
    rows = Rows(torch.zeros(20000, 1), torch.ones(20000).long(), ZERO, ONE)
    noisy = with_label_noise(rows, 0.9, seed=0, known=torch.tensor([3])).targets
    counts = torch.bincount(noisy, minlength=4)
    assert counts[1] == 2000
    assert counts[[0, 2, 3]].tolist() == pytest.approx([6000] * 3, abs=5 * (18000 * 2 / 9) ** 0.5)
    assert not torch.equal(noisy, with_label_noise(rows, 0.9, seed=1, known=torch.tensor([3])).targets)


def test_which_labels_are_replaced_follows_from_the_seed_and_the_purpose():
    draw = generator(3, "label_noise")
    chosen = torch.randperm(10, generator=draw)[:4]
    wanted = torch.arange(10) % 5
    wanted[chosen] = (wanted[chosen] + torch.randint(1, 5, (4,), generator=draw)) % 5
    assert torch.equal(with_label_noise(_labels(10), 0.4, 3, torch.arange(5)).targets, wanted)


def test_the_classes_are_those_of_all_training_examples():
    """A part of them may lack some."""
    rows = Rows(torch.zeros(1000, 1), torch.cat([torch.zeros(999).long(), torch.tensor([7])]), ZERO, ONE)
    noisy = training_set(_training(examples=400, label_noise=0.9), rows, 0)
    assert set(noisy.targets.tolist()) == set(range(8))


@pytest.mark.parametrize(
    ("targets", "line"),
    [
        (torch.full((4, 1), torch.nan), "label_noise: got 0.5 for targets that are numbers, wanted classes"),
        (torch.zeros(4).long(), "label_noise: got 0.5 for targets of 1 class, wanted at least 2 classes"),
    ],
)
def test_labels_that_cannot_be_replaced_give_a_line(targets, line):
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        training_set(_training(label_noise=0.5), Rows(torch.zeros(4, 1), targets, ZERO, ONE), 0)


def test_a_model_is_trained_and_measured_on_its_own_labels():
    """The training loss of the shard, and the base loss of a measure, are those of the labels that were replaced."""
    draw = torch.Generator().manual_seed(0)
    data = Rows(torch.randn(40, 3, generator=draw), torch.randint(3, (40,), generator=draw), ZERO, ONE)
    how = _training(label_noise=0.4, examples=30).canonical()
    known = {"architecture": "fcnn", "options": {"widths": [3, 3]}, "initialisation": "glorot", "loss": "cross_entropy"}
    pool = PoolSettings.model_validate({"dataset": "made_up", "training": how, **known})
    shard = train_shard(pool, Dataset(data, data), [1, 2], CPU)
    wanted = []
    for position, seed in enumerate((1, 2)):
        network, split = initial_network(pool, seed), training_set(pool.training, data, seed)
        optimiser = torch.optim.SGD(network.parameters(), lr=0.1, fused=True)
        for epoch in range(2):
            for index in shuffled_batches(split, seed, epoch, 4):
                optimiser.zero_grad()
                functional.cross_entropy(network(split.inputs[index]), split.targets[index]).backward()
                optimiser.step()
        assert torch.equal(shard.states["0.weight"][position], network[0].weight)
        wanted.append(functional.cross_entropy(network(split.inputs), split.targets).item())
    assert [row["train_loss"] for row in shard.table] == pytest.approx(wanted, rel=1e-6)
    assert _base_losses(pool, shard, Dataset(data, data)) == pytest.approx(wanted, rel=1e-6)


def _base_losses(pool, shard, data) -> list[float]:
    with TemporaryDirectory() as folder:
        tensors = {f"state.{name}": value for name, value in shard.states.items()}
        save_file({"seeds": torch.tensor([1, 2]), **tensors}, f"{folder}/a", {"made_from": json.dumps({})})
        way, where = Measurement(estimator="worst_case", batches="all"), {"dataset": data, "device": CPU}
        return (
            measure_shard(pool, way, 0.01, checkpoint=f"{folder}/a", made_from={}, **where)["base_loss"]
            .unique()
            .tolist()
        )


# Images that change


def _images(n: int = 6, channels: int = 1, dtype=torch.uint8) -> Rows:
    draw = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (n, channels, 8, 8), generator=draw).to(dtype)
    return Rows(pixels, torch.arange(n) % 3, torch.tensor(128.0), torch.tensor(64.0))


CHANGES = [v2.RandomCrop(size=8, padding=2), v2.RandomHorizontalFlip()]


@pytest.mark.parametrize("epoch", [0, 4])
def test_each_image_is_changed_by_itself_as_torchvision_changes_it(epoch):
    found = augmented(_images(), seed=7, epoch=epoch, changes=CHANGES)
    with torch.random.fork_rng():
        torch.manual_seed(number(7, "augmentation", epoch))
        wanted = torch.stack([v2.Compose(CHANGES)(image) for image in _images().inputs])
    assert torch.equal(found.inputs, wanted)
    assert torch.equal(found.targets, _images().targets)
    assert not torch.equal(found.inputs, _images().inputs)


def test_what_is_drawn_follows_from_seed_and_epoch_and_leaves_the_global_state():
    before = torch.get_rng_state()
    first = augmented(_images(), 7, 0, CHANGES).inputs
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(5)
    assert torch.equal(augmented(_images(), 7, 0, CHANGES).inputs, first)
    assert not torch.equal(augmented(_images(), 7, 1, CHANGES).inputs, first)
    assert not torch.equal(augmented(_images(), 8, 0, CHANGES).inputs, first)


@pytest.mark.parametrize(
    ("split", "changes", "line"),
    [
        (_labels(4), CHANGES, "augmentation: got examples of [1], wanted images, [channels, height, width]"),
        (
            Nodes(torch.zeros(3, 1), torch.tensor([[0], [1]]), torch.arange(3), torch.arange(3)),
            CHANGES,
            "augmentation: got a graph, wanted images, [channels, height, width]",
        ),
        (
            _images(),
            [v2.RandomCrop(size=5)],
            "augmentation: got images [1, 5, 5] of torch.uint8, wanted [1, 8, 8] of torch.uint8, as they were",
        ),
        (
            _images(),
            [v2.RandomCrop(size=9)],
            "augmentation RandomCrop: cannot be applied to images [1, 8, 8] of torch.uint8: ",
        ),
    ],
    ids=["numbers", "a graph", "another size", "too large"],
)
def test_what_is_no_image_or_does_not_keep_its_shape_gives_a_line(split, changes, line):
    with pytest.raises(ValueError, match=f"^{re.escape(line)}"):
        augmented(split, 0, 0, changes)


FLAT = "from torch import nn\n\n\ndef build():\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3))\n"
SHIFT = "class Shift:\n    def __call__(self, image):\n        return image + 1\n\n\ndef build():\n    return Shift()\n"


def _pool(**training) -> PoolSettings:
    known = {"architecture": "flat", "initialisation": "glorot", "loss": "cross_entropy"}
    return PoolSettings.model_validate({"dataset": "made_up", "training": _training(**training).canonical(), **known})


@pytest.fixture
def folder(tmp_path):
    """A linear network of images, and a change of the user's own."""
    for place, text in {"architectures/flat": FLAT, "augmentations/shift": SHIFT}.items():
        (tmp_path / place).parent.mkdir(parents=True)
        (tmp_path / f"{place}.py").write_text(text)
    return tmp_path


def test_a_model_sees_changed_images_in_training_alone(folder):
    said = [{"name": "RandomCrop", "size": 8, "padding": 2}, "RandomHorizontalFlip", "shift"]
    pool, data = _pool(augmentation=said), Dataset(_images(), _images())
    shard = train_shard(pool, data, [2], CPU, folder)
    network = initial_network(pool, 2, folder)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1, fused=True)
    for epoch in range(2):
        seen = augmented(_images(), 2, epoch, [*CHANGES, lambda image: image + 1])
        for index in shuffled_batches(seen, 2, epoch, 4):
            optimiser.zero_grad()
            seen.loss(functional.cross_entropy, network, index).backward()
            optimiser.step()
    assert torch.equal(shard.states["1.weight"][0], network[1].weight)
    outputs = network((_images().inputs - 128.0) / 64.0)
    wanted = functional.cross_entropy(outputs, _images().targets).item()
    assert shard.table[0]["train_loss"] == pytest.approx(wanted, rel=1e-6)


def test_options_that_do_not_fit_give_a_line(folder):
    pool = _pool(augmentation=[{"name": "RandomCrop", "size": [1, 2, 3]}])
    with pytest.raises(ValueError, match=r"^augmentation RandomCrop: options \{'size': \[1, 2, 3\]\} do not fit: "):
        train_shard(pool, Dataset(_images(), _images()), [2], CPU, folder)


OPTIONS = {
    "CenterCrop": {"size": 8},
    "ColorJitter": {"brightness": 0.5},
    "ElasticTransform": {"sigma": 1.0},
    "Grayscale": {"num_output_channels": 3},
    "GaussianBlur": {"kernel_size": 3},
    "GaussianNoise": {"sigma": 0.1},
    "JPEG": {"quality": [20, 50]},
    "Normalize": {"mean": [0.5], "std": [0.5]},
    "Pad": {"padding": 1},
    "RandomAdjustSharpness": {"sharpness_factor": 2.0},
    "RandomAffine": {"degrees": 20},
    "RandomCrop": {"size": 8, "padding": 1},
    "RandomPosterize": {"bits": 2},
    "RandomResize": {"min_size": 4, "max_size": 9},
    "RandomResizedCrop": {"size": 8},
    "RandomRotation": {"degrees": [-10, 10]},
    "RandomShortestSize": {"min_size": 9},
    "RandomSolarize": {"threshold": 100},
    "Resize": {"size": 9},
    "ScaleJitter": {"target_size": [9, 9]},
}
OTHER_SIZES = {"Pad", "RandomResize", "RandomShortestSize", "Resize", "ScaleJitter", "RandomZoomOut"}
OF_FLOATS = {"GaussianNoise", "Normalize"}


@pytest.mark.parametrize("name", sorted(set(plugins.torch_names("augmentations")) - OTHER_SIZES))
def test_a_change_of_torchvision_gives_images_of_the_same_shape_and_type(name):
    taken = plugins.options("augmentations", name)
    assert {key for key, each in taken.items() if each.required} <= OPTIONS.get(name, {}).keys() <= taken.keys()
    dtype = torch.float32 if name in OF_FLOATS else torch.uint8
    images = _images(channels=1 if name == "Normalize" else 3, dtype=dtype)
    change = plugins.resolve("augmentations", name)(**OPTIONS.get(name, {}))
    found = augmented(images, 0, 0, [change])
    assert (found.inputs.shape, found.inputs.dtype) == (images.inputs.shape, images.inputs.dtype)


def test_the_augmentations_are_random_from_their_own_stream():
    with default_generator(7, "augmentation", 2):
        first = torch.rand(2)
    assert torch.equal(first, torch.rand(2, generator=generator(7, "augmentation", 2)))
    assert isinstance(plugins.resolve("augmentations", "RandomHorizontalFlip")(), nn.Module)


BROKEN = "def build():\n    return broken\n\n\ndef broken(image):\n    raise ValueError('mine')\n"


def test_an_error_inside_a_change_of_the_user_stays_as_it_is(folder):
    (folder / "augmentations/broken.py").write_text(BROKEN)
    with pytest.raises(ValueError, match=r"^mine$"):
        train_shard(_pool(augmentation=["broken"]), Dataset(_images(), _images()), [2], CPU, folder)
