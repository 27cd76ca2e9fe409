"""The door: from a name to a function or a class of the package, of the user, or of torch."""

import inspect
import re
import sys
from pathlib import Path

import pytest
import torch
from torchvision.transforms import v2

from adaptive_sharpness import plugins
from adaptive_sharpness.landscape import problems, scales
from adaptive_sharpness.landscape.balls import NORMS
from adaptive_sharpness.measures import worst_case


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A user's folder below the calling one."""
    monkeypatch.chdir(tmp_path)
    return Path("plugins")


@pytest.fixture
def write(folder):
    """write(place, text): a file of the user's."""

    def make(place: str, text: str) -> Path:
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return make


# What has a name


@pytest.mark.parametrize("kind", plugins.KINDS)
def test_every_plugin_of_the_package_is_found_and_can_be_called(kind):
    for name in plugins.names(kind):
        found = plugins.resolve(kind, name)
        assert callable(found)
        assert found.__name__ == (plugins.KINDS[kind].function or name)


@pytest.mark.parametrize(
    ("kind", "module"),
    [("losses", torch.nn.functional), ("optimisers", torch.optim), ("schedules", torch.optim.lr_scheduler)],
)
def test_what_torch_has_is_found_by_its_name(kind, module):
    names = plugins.torch_names(kind)
    assert len(names) >= 10
    assert [plugins.resolve(kind, name) for name in names] == [getattr(module, name) for name in names]
    assert not set(names) & set(plugins.KINDS[kind].left_out)


def test_the_optimisers_are_those_of_torch_that_take_parameters_alone():
    for name in set(plugins.torch_names("optimisers")) - {"Muon"}:  # Muon takes matrices alone
        options = {key: 0.1 for key, each in plugins.options("optimisers", name).items() if each.required}
        made = plugins.resolve("optimisers", name)([torch.zeros(2, 2, requires_grad=True)], **options)
        assert isinstance(made, torch.optim.Optimizer)


def test_the_users_file_is_found_after_the_packages(write):
    write("measures/mine.py", "def mine(model, loss, batches, *, seed):\n    return 'mine'\n")
    assert plugins.names("measures") == ["average_case", "hessian", "worst_case", "mine"]
    assert plugins.resolve("measures", "mine")(None, None, None, seed=0) == "mine"


def test_the_users_folder_may_have_another_name(write, tmp_path):
    write("../own/architectures/mine.py", "def build():\n    return 'mine'\n")
    assert plugins.resolve("architectures", "mine", "own")() == "mine"
    assert plugins.names("architectures") == ["fcnn", "gat", "lenet5", "resnet", "transformer", "vit"]


def test_files_of_the_user_may_import_each_other_and_the_package(write):
    write("measures/_shared.py", "VALUE = 7\n")
    text = "from adaptive_sharpness.measures import Measured\nfrom ._shared import VALUE\n\n\n"
    write("measures/mine.py", text + "def mine(model, loss, batches, *, seed):\n    return VALUE, Measured\n")
    value, measured = plugins.resolve("measures", "mine")(None, None, None, seed=0)
    assert (value, measured.__name__) == (7, "Measured")


def test_two_folders_one_after_the_other_do_not_mix(write):
    for name in ("one", "two"):
        write(f"../{name}/losses/mine.py", f"def mine(outputs, targets, reduction):\n    return '{name}'\n")
    found = [plugins.resolve("losses", "mine", name)(0, 0, "mean") for name in ("one", "two", "one")]
    assert found == ["one", "two", "one"]


@pytest.mark.parametrize("name", ["_mine", "Mine", "my-loss", "1st", "__init__"])
def test_a_file_with_another_kind_of_name_is_no_plugin(write, name):
    write(f"losses/{name}.py", "def loss(outputs, targets, reduction): ...\n")
    assert plugins.names("losses") == []


# Names that are refused


def test_a_name_that_nothing_has_gives_a_line_with_the_nearest(folder):
    wanted = "got 'worst_cas', wanted one of average_case, hessian, worst_case (did you mean worst_case?)"
    with pytest.raises(ValueError, match=rf"^{re.escape(wanted)}$"):
        plugins.resolve("measures", "worst_cas")


@pytest.mark.parametrize("name", ["../job", "/etc/passwd", "os.system", "torch.hub", "_measured", "", "__init__"])
def test_a_name_leads_nowhere_else(folder, name):
    with pytest.raises(ValueError, match="wanted one of average_case, hessian, worst_case"):
        plugins.resolve("measures", name)


@pytest.mark.fault(
    fault="a plug-in with a name of the package's", sees="`FILE: got the name of a plug-in of the package, ...`"
)
def test_a_name_of_the_package_and_the_user_is_refused(write):
    write("measures/hessian.py", "def hessian(model, loss, batches, *, seed): ...\n")
    line = "plugins/measures/hessian.py: got the name of a plug-in of the package, wanted another name"
    for ask in (plugins.resolve, plugins.file, plugins.parameters):
        with pytest.raises(ValueError, match=rf"^{re.escape(line)}$"):
            ask("measures", "hessian")


def test_a_file_whose_function_is_something_else_is_refused(write):
    write("losses/mine.py", "mine = 7\n")
    with pytest.raises(ValueError, match=r"mine\.py: got no function mine, wanted one$"):
        plugins.resolve("losses", "mine")


def test_a_file_without_its_function_is_refused(write):
    write("architectures/mine.py", "class A:\n    def build(self): ...\n")
    with pytest.raises(ValueError, match=r"^plugins/architectures/mine\.py: got a file without build\(\), wanted one"):
        plugins.options("architectures", "mine")


@pytest.mark.fault(fault="a plug-in that cannot be imported", sees="`FILE: cannot be imported: ...`")
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("import nothing_of_this_name\n", "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
        ("raise RuntimeError\n", "RuntimeError: RuntimeError"),
    ],
)
def test_a_file_that_cannot_be_imported_gives_a_line(write, text, line):
    write("losses/mine.py", text + "\n\ndef mine(outputs, targets, reduction): ...\n")
    with pytest.raises(ValueError, match=rf"^plugins/losses/mine\.py: cannot be imported: {re.escape(line)}$"):
        plugins.resolve("losses", "mine")


def test_a_file_that_is_no_python_gives_a_line_with_its_place(write):
    write("losses/mine.py", "\n\ndef mine(:\n")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    line = f"plugins/losses/mine.py, line 3: got no Python: invalid syntax, wanted Python {version}"
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        plugins.parameters("losses", "mine")


# What a plug-in takes


@pytest.mark.parametrize("kind", plugins.KINDS)
def test_the_parameters_are_those_that_python_itself_reads(kind):
    known = plugins.KINDS[kind]
    for name in plugins.names(kind):
        named = list(inspect.signature(plugins.resolve(kind, name)).parameters.values())[known.leading :]
        taken = plugins.parameters(kind, name)
        assert list(taken) == [each.name for each in named]
        for each in named:
            assert taken[each.name].required == (each.default is each.empty)
            if not taken[each.name].required and taken[each.name].default is not plugins.UNKNOWN:
                assert taken[each.name].default == each.default


@pytest.mark.parametrize("kind", ["losses", "optimisers", "schedules"])
def test_the_parameters_of_what_torch_has_are_those_that_python_itself_reads(kind):
    leading = plugins.KINDS[kind].leading
    for name in plugins.torch_names(kind):
        named = list(inspect.signature(plugins.resolve(kind, name)).parameters)[leading:]
        assert list(plugins.parameters(kind, name)) == named, name


def test_a_measure_is_read_without_being_run(write):
    signature = "model, loss, batches, *, rho: float, low=-0.5, names=('a', 'b'), rate=None"
    write("measures/mine.py", f"raise RuntimeError\n\n\ndef mine({signature}): ...\n")
    taken = plugins.parameters("measures", "mine")
    assert {key: each.default for key, each in taken.items() if not each.required} == {
        "low": -0.5,
        "names": ("a", "b"),
        "rate": None,
    }
    assert taken["rho"].required


def test_what_the_study_gives_is_no_option(write):
    write("measures/mine.py", "def mine(model, loss, batches, *, rho, seed, initial, sharp=True): ...\n")
    assert list(plugins.parameters("measures", "mine")) == ["rho", "seed", "initial", "sharp"]
    assert list(plugins.options("measures", "mine")) == ["sharp"]


def test_of_a_function_that_takes_anything_nothing_is_known(write):
    write("architectures/mine.py", "def build(**options): ...\n")
    assert plugins.options("architectures", "mine") is None


def test_the_kind_of_a_value_is_read_from_the_signature(write):
    said = "width: int, depth=3, bias=True, rate: float = 0.1, name: Literal['a', 'b'] = 'a', out: int | None = None"
    write("architectures/mine.py", f"def build({said}): ...\n")
    taken = plugins.options("architectures", "mine")
    kinds = {key: each.kind for key, each in taken.items()}
    assert kinds == {"width": "int", "depth": "int", "bias": "bool", "rate": "float", "name": "", "out": "int"}
    assert taken["name"].choices == ("a", "b")


def test_a_default_that_is_no_literal_is_unknown(write):
    write("architectures/mine.py", "def build(act=print): ...\n")
    assert plugins.options("architectures", "mine")["act"].default is plugins.UNKNOWN


def test_the_choices_are_those_that_the_functions_accept():
    everything = {"norm": tuple(NORMS), "solver": worst_case.SOLVERS, "perturb": problems.PERTURBED}
    everything["scale"] = tuple(scales.SCALES)
    for name, keys in {
        "worst_case": [*everything],
        "average_case": ["norm", "perturb", "scale"],
        "hessian": ["perturb", "scale"],
    }.items():
        taken = plugins.options("measures", name)
        assert {key: each.choices for key, each in taken.items() if each.choices} == {k: everything[k] for k in keys}


MANY = [f"name_{number:03d}" for number in range(60)]


@pytest.mark.parametrize(
    ("names", "listed"),
    [
        (["gat", "fcnn"], "gat, fcnn"),
        ([f"name_{i:03d}" for i in range(60)], ", ".join(f"name_{i:03d}" for i in range(10))),
    ],
)
def test_a_line_lists_all_names_or_the_first_of_many(names, listed):
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    assert plugins.wanted_one_of("no such", names) == f"wanted one of {listed}{more}"
    assert plugins.wanted_one_of(names[-1], names).endswith(f" (did you mean {names[-1]}?)")


def test_the_changes_of_images_are_torchvisions_that_take_an_image_alone():
    kind, names = "augmentations", plugins.torch_names("augmentations")
    assert {"RandomCrop", "RandomHorizontalFlip", "AutoAugment"} <= set(names)
    assert [plugins.resolve(kind, name) for name in names] == [getattr(v2, name) for name in names]
    for name in names:
        assert list(plugins.parameters(kind, name)) == list(inspect.signature(getattr(v2, name)).parameters), name
