"""The static import closure against what Python really imports, and the digest that decides what is remade."""

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest

from adaptive_sharpness import plugins
from adaptive_sharpness.study.config.reading import plain_config, read_settings
from adaptive_sharpness.study.config.yaml_file import read_yaml
from adaptive_sharpness.study.plan import Plan
from adaptive_sharpness.study.running import code

ROOT = Path(__file__).parents[2]
HAMMOUD = ROOT / "studies/hammoud2023"
SCRIPTS = sorted((ROOT / "workflow/scripts").glob("*.py"))
SCRIPTS_OF = {  # the scripts that use plug-ins of a kind
    "architectures": ["train", "measure"],
    "datasets": ["prepare"],
    "initialisations": ["train"],
    "losses": ["train", "measure"],
    "optimisers": ["train"],
    "schedules": ["train"],
    "augmentations": ["train"],
    "trainers": ["train"],
    "measures": ["measure"],
    "statistics": ["tau_table", "report"],
    "figures": ["report"],
}
ADDED = [
    (ROOT / f"workflow/scripts/{script}.py", plugins.file(kind, name, HAMMOUD / "plugins"))
    for kind, scripts in SCRIPTS_OF.items()
    for name in plugins.names(kind, HAMMOUD / "plugins")
    for script in scripts
]
MODULES = list(dict.fromkeys(path for _, path in ADDED))
IMPORT_ALL = """
import ast, builtins, importlib, json, sys
from pathlib import Path
from types import ModuleType

OURS = ("adaptive_sharpness", "adaptive_sharpness_user")
USERS = Path("studies/hammoud2023/plugins").resolve()

import_ = builtins.__import__

def watched(name, globals=None, locals=None, fromlist=(), level=0):
    asking = (globals or {}).get("__name__") or ""
    if level == 0 and asking.split(".")[0] in (*OURS, "script"):
        asked.add(name.split(".")[0])
    return import_(name, globals, locals, fromlist, level)

builtins.__import__ = watched

def load(path):
    place = path.resolve().relative_to(Path.cwd()).with_suffix("").parts
    if place[0] == "adaptive_sharpness":
        importlib.import_module(".".join(place))
        return
    if path.resolve().is_relative_to(USERS):
        sys.modules["adaptive_sharpness_user"] = ModuleType("adaptive_sharpness_user")
        sys.modules["adaptive_sharpness_user"].__path__ = [str(USERS)]
        importlib.import_module(".".join(["adaptive_sharpness_user", *place[3:]]))
        return
    nodes = ast.parse(path.read_text()).body
    statements = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    exec(compile(ast.Module(statements, []), path, "exec"), {"__name__": "script"})

def ours():
    return [name for name in sys.modules if name.split(".")[0] in OURS]

def files():
    found = (getattr(sys.modules[name], "__file__", None) for name in ours())
    return [str(Path(file).resolve()) for file in found if file]

found, others = {}, {}
for script in sys.argv[1:]:
    asked = set()
    for name in ours():
        del sys.modules[name]
    load(Path(script))
    found[script] = files()
    asked -= sys.stdlib_module_names | set(OURS)
    others[script] = {name: str(Path(sys.modules[name].__file__).resolve()) for name in asked}
print(json.dumps([found, others]))
"""


def python(text: str, tree: Path, *arguments: object) -> str:
    """What some code prints, with the package of this tree."""
    command = [sys.executable, "-c", text, *map(str, arguments)]
    return subprocess.run(command, cwd=tree, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def imported() -> list[dict[str, dict]]:
    """What each module loads, and each script's import statements, nothing but these: files of the package; and what is
    asked for elsewhere, by these and the script or module itself, with the file that Python finds."""
    return json.loads(python(IMPORT_ALL, ROOT, *SCRIPTS, *MODULES))


@pytest.fixture(scope="module")
def loaded(imported) -> dict[str, list[str]]:
    return imported[0]


def digest(tree: Path, script: str = "workflow/scripts/measure.py", *modules: str) -> str:
    """As the rules of the workflow ask for it, in a fresh process: digests are cached."""
    text = "import sys; from pathlib import Path; from adaptive_sharpness import plugins; "
    text += "from adaptive_sharpness.study.running import code; "
    text += "print(code.digest(Path(sys.argv[1]), *(plugins.PACKAGE / f'{m}.py' for m in sys.argv[2:])))"
    return python(text, tree, tree / script, *modules)


@pytest.fixture
def tree(tmp_path):
    """A copy of the package and of the scripts, to change."""
    for part in ("adaptive_sharpness", "workflow/scripts"):
        shutil.copytree(ROOT / part, tmp_path / "a" / part, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "a"


def named(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.mark.parametrize("script", SCRIPTS, ids=named)
def test_a_script_imports_nothing_outside_its_closure(loaded, script):
    files = set(map(Path, loaded[str(script)]))
    assert plugins.PACKAGE / "__init__.py" in files
    assert files <= code.closure(script)


@pytest.mark.parametrize(("script", "module"), ADDED, ids=named)
def test_a_module_that_is_added_to_a_script_imports_nothing_outside_their_closure(loaded, script, module):
    """But for a package around it that holds nothing but words."""
    files = set(map(Path, loaded[str(module)]))
    assert {module, plugins.PACKAGE / "__init__.py"} <= files
    known = code.closure(script, module, folder=HAMMOUD / "plugins")
    assert {path for path in files - known if not is_bare(path)} == set()


def is_bare(path: Path) -> bool:
    """Whether a file is the docstring of a package."""
    tree = plugins.parse(path)
    return path.name == "__init__.py" and len(tree.body) == 1 and ast.get_docstring(tree) is not None


def names(config: dict) -> Iterator[tuple[str, str]]:
    """The plug-ins that a config names, each its kind and name."""
    yield from (("datasets", name) for name in config["datasets"])
    for pools in config["protocols"].values():
        for pool, block in pools.items():
            yield "architectures", block.get("architecture", pool)
            yield "initialisations", block["initialisation"]
            yield "losses", block["loss"]
            yield "optimisers", block["training"]["optimiser"]["name"]
            yield "trainers", block["training"].get("trainer", {}).get("name", "minibatches")
    for measure, block in config["measures"].items():
        for closer in block.get("on", {}).values():
            if "protocols" not in block or block["protocols"]:
                yield "measures", closer.get("estimator", block.get("estimator", measure))


def test_the_modules_that_config_names_are_among_them(config):
    ladder = plain_config(read_yaml(HAMMOUD / "ladder.yaml"))
    ladder["measures"] = {
        name: {**config["measures"].get(name, {}), **each} for name, each in ladder["measures"].items()
    }
    for folder, each in (("plugins", config), (HAMMOUD / "plugins", ladder)):
        files = {plugins.file(kind, name, folder) for kind, name in names(each)} - {None}
        assert len(files) > 8
        assert files <= set(MODULES)


@pytest.mark.parametrize("script", SCRIPTS + MODULES, ids=named)
def test_every_package_that_a_script_imports_is_known_with_its_version(imported, script):
    """Packages are found here by the file that was loaded, and there by their lists of modules."""
    files = imported[1][str(script)]
    assert files
    known = code.distributions(script, folder=HAMMOUD / "plugins")
    for file in files.values():
        owners = [name for name in known if Path(file) in belongings(distribution(name))]
        assert [known[name] for name in owners] == [distribution(name).version for name in owners] != [], file


@cache
def belongings(package: Distribution) -> set[Path]:
    """The outermost files of an installed package."""
    return {Path(package.locate_file(file)).resolve() for file in package.files if len(file.parts) <= 2}


@pytest.mark.parametrize(
    ("script", "without"),
    [
        ("train", {"pandas", "matplotlib", "scipy", "scikit-learn", "snakemake"}),
        ("measure", {"matplotlib", "scipy", "scikit-learn"}),
        ("tau_table", {"matplotlib", "Jinja2", "torch-geometric", "pooch"}),
        ("estimates_table", {"matplotlib", "Jinja2", "torch-geometric", "pooch"}),
        ("report", {"torch-geometric", "pooch", "pyarrow", "scikit-learn"}),
    ],
)
def test_a_package_that_a_script_does_not_import_is_left_out(script, without):
    assert without <= {each.name for each in metadata.distributions()}
    assert not without & code.distributions(ROOT / f"workflow/scripts/{script}.py").keys()


def test_a_closure_leaves_out_what_a_script_does_not_need():
    """Else a change of a figure would retrain the networks."""
    trains = code.closure(ROOT / "workflow/scripts/train.py")
    assert plugins.PACKAGE / "study/training/shard.py" in trains
    others = (
        "study/report/page",
        "study/report/style",
        "study/tables/runs",
        "study/measuring/shard",
        "landscape/ascent",
    )
    assert all((plugins.PACKAGE / f"{name}.py").exists() for name in others)
    assert not {plugins.PACKAGE / f"{name}.py" for name in others} & trains


def test_modules_that_config_names_are_given_as_files():
    file = plugins.PACKAGE / "measures/worst_case.py"
    assert file not in code.closure(ROOT / "workflow/scripts/measure.py")
    assert {file, plugins.PACKAGE / "landscape/balls.py"} <= code.closure(file)


@pytest.mark.parametrize(
    "statement",
    [
        "import adaptive_sharpness.landscape.balls",
        "import os, adaptive_sharpness.landscape.balls as b",
        "from adaptive_sharpness.landscape import balls",
        "from adaptive_sharpness.landscape.balls import LInf",
        "def late():\n    from adaptive_sharpness.landscape import balls",
        "if True:\n    import adaptive_sharpness.landscape.balls",
        "from adaptive_sharpness.measures.worst_case import measure",
    ],
)
def test_every_form_of_import_is_seen(tmp_path, statement):
    script = tmp_path / "script.py"
    script.write_text(statement)
    wanted = {script, plugins.PACKAGE / "__init__.py", plugins.PACKAGE / "landscape/balls.py"}
    assert wanted <= code.closure(script)


@pytest.fixture
def package(tree, monkeypatch) -> Path:
    """The package of the copy, as the one whose imports are followed."""
    monkeypatch.setattr(plugins, "PACKAGE", (tree / "adaptive_sharpness").resolve())
    return plugins.PACKAGE


@pytest.mark.parametrize(
    ("place", "statement"),
    [
        ("measures/mine.py", "from . import worst_case"),
        ("measures/mine.py", "from .worst_case import measure"),
        ("measures/mine.py", "from ..measures import worst_case"),
        ("measures/mine/__init__.py", "from ..worst_case import measure"),
        ("mine.py", "from .measures.worst_case import measure"),
        ("__init__.py", "from .measures import worst_case"),
    ],
)
def test_an_import_by_dots_is_seen(package, place, statement):
    (package / place).parent.mkdir(exist_ok=True)
    (package / place).write_text(statement)
    wanted = {package / name for name in (place, "__init__.py", "measures/worst_case.py", "landscape/balls.py")}
    assert wanted <= code.closure(package / place)


@pytest.fixture
def mine(tmp_path) -> Path:
    """A folder of the user's plug-ins: measures/mine.py imports what lies beside it and in the package."""
    imports = "from ._helper import f", "from ..losses import mine", "import adaptive_sharpness.landscape.balls"
    for place, text in {
        "measures/mine.py": "\n".join(imports),
        "measures/_helper.py": "import sklearn\nfrom adaptive_sharpness_user.measures import _deeper\n",
        "measures/_deeper.py": "",
        "measures/other.py": "",
        "losses/mine.py": "",
    }.items():
        (tmp_path / "mine" / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / place).write_text(text)
    return (tmp_path / "mine").resolve()


def test_the_users_files_are_followed_as_those_of_the_package(mine):
    found = code.closure(mine / "measures/mine.py", folder=mine)
    theirs = {str(path.relative_to(mine)) for path in found if path.is_relative_to(mine)}
    assert theirs == {"measures/mine.py", "measures/_helper.py", "measures/_deeper.py", "losses/mine.py"}
    assert plugins.PACKAGE / "landscape/balls.py" in found
    assert "scikit-learn" in code.distributions(mine / "measures/mine.py", folder=mine)


def test_the_digest_of_the_users_files_does_not_depend_on_where_they_lie(mine, tmp_path):
    shutil.copytree(mine, tmp_path / "elsewhere/too")
    before = code.digest(mine / "measures/mine.py", folder=mine)
    assert code.digest(tmp_path / "elsewhere/too/measures/mine.py", folder=tmp_path / "elsewhere/too") == before


@pytest.mark.parametrize(
    ("changed", "changes"),
    [("measures/_deeper.py", True), ("losses/mine.py", True), ("measures/mine.py", True), ("measures/other.py", False)],
)
def test_a_change_of_the_users_files_changes_the_digest_of_what_imports_them(mine, changed, changes):
    before = code.digest(mine / "measures/mine.py", folder=mine)
    with open(mine / changed, "a") as file:
        file.write("\nchanged = True\n")
    assert (code.digest(mine / "measures/mine.py", folder=mine) != before) == changes


PLAIN = """
def mine(model, loss, batches, *, seed):
    text = '''kept

    # kept
    '''
    return text


class Mine:
    pass
"""


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("    pass", "    pass  # said", False),
        ("    pass", "    # said\n    pass", False),
        ("    pass", "\n    pass", False),
        ("    pass", "    pass\n\n\n# said", False),
        ("    pass", "    '''Said,\n\n    at length.'''\n\n    pass", False),
        ("    pass", '    r"Said."  # twice\n    pass', False),
        ("    pass", "    pass\n    'said after all'", False),
        ("    text", "    '''Said.'''\n    text", False),
        ("\ndef", "'''Said.'''\n\ndef", False),
        ("\ndef", "# said\n'''Said.'''\n\n\ndef", False),
        ("kept\n\n", "kept\n", True),
        ("    # kept\n", "", True),
        ("# kept", "# changed", True),
        ("    pass", "    'said'; pass", True),
        ("    pass", "    said = 'said'", True),
        ("    pass", "    print(\n        'said'\n    )", True),
        ("return text", "return 'text'", True),
        ("return text", "return f'{text}'", True),
    ],
)
def test_remarks_alone_leave_the_digest_as_it_is(mine, old, new, changes):
    (mine / "measures/mine.py").write_text(PLAIN)
    before = code.digest(mine / "measures/mine.py", folder=mine)
    assert PLAIN.count(old) == 1
    (mine / "measures/mine.py").write_text(PLAIN.replace(old, new))
    assert (code.digest(mine / "measures/mine.py", folder=mine) != before) == changes


@pytest.mark.parametrize(
    ("place", "end"),
    [
        ("figures/mine.py", ""),  # it is the figure's caption
        ("measures/mine.py", "said = mine.__doc__"),
        ("measures/mine.py", "said = inspect.getdoc(mine)"),
    ],
)
def test_a_docstring_counts_where_something_is_made_of_it(mine, place, end):
    (mine / place).parent.mkdir(exist_ok=True)
    digests = set()
    for said in ("Said.", "Said anew."):
        (mine / place).write_text(f"'''{said}'''\n{PLAIN}\n{end}\n")
        digests.add(code.digest(mine / place, folder=mine))
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("place", "name"),
    [("../script.py", "."), ("mine.py", "..other"), ("__init__.py", ".."), ("measures/mine.py", "...")],
)
def test_an_import_that_leads_out_of_the_package_gives_a_line(package, place, name):
    (package / place).write_text(f"import os\nfrom {name} import balls\n")
    line = f"{(package / place).resolve()}, line 2: got an import from {name}, wanted one from adaptive_sharpness, "
    with pytest.raises(ValueError, match=f"^{re.escape(line)}from the user's plug-ins or from an installed package$"):
        code.closure(package / place)


def test_an_import_that_leads_out_of_the_users_folder_gives_a_line(mine):
    (mine / "measures/mine.py").write_text("from ...elsewhere import f\n")
    line = f"{mine}/measures/mine.py, line 1: got an import from ...elsewhere, wanted one from adaptive_sharpness, "
    with pytest.raises(ValueError, match=f"^{re.escape(line)}from the user's plug-ins or from an installed package$"):
        code.closure(mine / "measures/mine.py", folder=mine)


PYTHON = f"Python {sys.version_info.major}.{sys.version_info.minor}"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"import os\nimport torch.\n", ", line 2: got no Python: invalid syntax, wanted {}"),
        (b"a = 1\n  b = 2\n", ", line 2: got no Python: unexpected indent, wanted {}"),
        (b"a = '\xff'\n", ", line 1: got no Python: .*codec can't decode byte 0xff.*, wanted {}"),
        (b"# coding: nothing\n", ": got no Python: .*nothing.*, wanted {}"),
    ],
)
def test_a_file_that_is_no_python_gives_a_line(tmp_path, content, line):
    path = tmp_path / "mine.py"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}{line.format(re.escape(PYTHON))}$"):
        plugins.parse(path)


def test_a_file_in_another_encoding_is_read_as_python_reads_it(tmp_path):
    (tmp_path / "mine.py").write_bytes(b"# coding: latin-1\nname = '\xfc'\n")
    assert ast.literal_eval(plugins.parse(tmp_path / "mine.py").body[0].value) == "ü"


@pytest.mark.parametrize("ask", [code.closure, code.distributions, code.digest])
def test_a_file_deep_in_what_is_imported_that_is_no_python_gives_a_line(package, ask):
    (package / "landscape/balls.py").write_text("def broken(:\n")
    with pytest.raises(ValueError, match=r"/balls\.py, line 1: got no Python: "):
        ask(package / "measures/worst_case.py")


def test_of_another_package_the_version_is_known_and_no_file(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import json\nimport torch.nn\nfrom sklearn import tree\nfrom balls import LInf\n")
    assert code.closure(script) == {script}
    known = {name: distribution(name).version for name in ("torch", "scikit-learn")}
    assert code.distributions(script) == known


@pytest.mark.parametrize(("package", "changes"), [("torch", True), ("safetensors", True), ("pandas", False)])
def test_another_version_of_a_package_changes_the_digest_of_what_imports_it(tree, other_version, package, changes):
    before = digest(tree, "workflow/scripts/train.py")
    other_version(tree, package, "999.1")
    assert (digest(tree, "workflow/scripts/train.py") != before) == changes


def test_a_second_copy_of_the_same_version_leaves_the_digest(tree, other_version):
    before = digest(tree, "workflow/scripts/train.py")
    other_version(tree, "torch", distribution("torch").version)
    assert digest(tree, "workflow/scripts/train.py") == before


DEEP = [
    "adaptive_sharpness/landscape/randomness.py",
    "adaptive_sharpness/measures/__init__.py",
    "workflow/scripts/measure.py",
]


@pytest.mark.parametrize("changed", [*DEEP, "adaptive_sharpness/landscape/balls.py"])
def test_a_change_however_deep_changes_the_digest(tree, changed):
    """balls.py is imported by ascent.py, which is imported by a module that config names."""
    before = digest(tree, "workflow/scripts/measure.py", "measures/worst_case")
    with open(tree / changed, "a") as file:
        file.write("\nchanged = True\n")
    assert digest(tree, "workflow/scripts/measure.py", "measures/worst_case") != before


def test_a_change_of_a_file_that_is_not_imported_leaves_the_digest(tree):
    before = digest(tree)
    (tree / "adaptive_sharpness/study/report/style.py").write_text("")
    assert digest(tree) == before


def test_touching_every_file_leaves_the_digest(tree):
    before = digest(tree)
    for file in tree.rglob("*.py"):
        file.touch()
    assert digest(tree) == before


def test_two_files_that_trade_contents_change_the_digest(tree):
    before = digest(tree, "workflow/scripts/measure.py", "architectures/fcnn", "architectures/lenet5")
    fcnn, lenet5 = (tree / f"adaptive_sharpness/architectures/{name}.py" for name in ("fcnn", "lenet5"))
    fcnn_was = fcnn.read_text()
    fcnn.write_text(lenet5.read_text())
    lenet5.write_text(fcnn_was)
    assert digest(tree, "workflow/scripts/measure.py", "architectures/fcnn", "architectures/lenet5") != before


def test_the_digest_does_not_depend_on_how_a_path_is_written():
    """Given by an absolute path or by a relative one, a script sorts before or after the files of the package."""
    script = ROOT / "workflow/scripts/train.py"
    assert code.digest(Path("../" * 20) / script.relative_to("/")) == code.digest(script)


def test_the_digest_does_not_depend_on_where_the_tree_lies(tree):
    assert digest(tree, "workflow/scripts/train.py") == digest(ROOT, "workflow/scripts/train.py")


def test_a_change_of_the_pages_template_changes_the_digest_of_the_page(tree):
    before = digest(tree, "workflow/scripts/report.py")
    with open(tree / "adaptive_sharpness/study/report/page.html", "a") as file:
        file.write("<!-- changed -->\n")
    assert digest(tree, "workflow/scripts/report.py") != before


def test_a_file_that_lies_beside_a_plug_in_under_its_name_belongs_to_it(tmp_path):
    """Such as a table that it reads."""
    plugin = tmp_path / "measures/mine.py"
    plugin.parent.mkdir()
    plugin.write_text("def mine(model, loss, batches, *, seed): ...\n")
    (plugin.parent / "mine.csv").write_text("1\n")
    (plugin.parent / "other.csv").write_text("1\n")
    digests = [code.digest(plugin, folder=tmp_path)]
    for name in ("other.csv", "mine.csv"):
        (plugin.parent / name).write_text("22\n")
        digests.append(code.digest(plugin, folder=tmp_path))
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("name", ["loose.py", "loose/__init__.py", "loose/inner.py"])
def test_a_module_that_a_plug_in_finds_on_the_path_belongs_to_its_code(tmp_path, monkeypatch, name):
    """It is no installed package, whose version would stand for it."""
    monkeypatch.syspath_prepend(tmp_path)
    plugin = tmp_path / "plugins/measures/mine.py"
    for path, text in (
        (plugin, "from loose import inner\n\n\ndef mine(model, loss, batches, *, seed): ...\n"),
        (tmp_path / name, ""),
        *([(tmp_path / "loose/__init__.py", "")] if name == "loose/inner.py" else []),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    code._place_of_loose.cache_clear()
    assert tmp_path / name in code.closure(plugin, folder=tmp_path / "plugins")
    before = code.digest(plugin, folder=tmp_path / "plugins")
    (tmp_path / name).write_text("changed = True\n")
    assert code.digest(plugin, folder=tmp_path / "plugins") != before
    code._place_of_loose.cache_clear()


BODIES = {
    "architectures": "from ._helper import width\n\n\ndef build(width=3):\n    ...\n",
    "datasets": "def load(raw):\n    ...\n",
    "initialisations": "def {name}(network, draw):\n    ...\n",
    "losses": "def {name}(outputs, targets, reduction='mean'):\n    ...\n",
    "optimisers": "def build(parameters, lr=0.1):\n    ...\n",
    "schedules": "def build(optimiser):\n    ...\n",
    "augmentations": "def build():\n    ...\n",
    "trainers": "def train(network, split, loss, seed, *, optimiser, schedule, **given):\n    ...\n",
    "measures": "def {name}(model, loss, batches, *, rho, seed):\n    ...\n",
}
JOBS = [
    ("prepare", {"dataset": "mine"}),
    ("train", {"protocol": "report", "pool": "mine"}),
    ("measure", {"protocol": "report", "pool": "mine", "measure": "mine"}),
    *[(rule, {}) for rule in ("runs_table", "estimates_table", "tau_table", "metrics", "report")],
]


@pytest.fixture
def used(config, tmp_path, monkeypatch) -> dict:
    """The config of a study of the user's plug-ins alone; there are two of each kind, mine and other."""
    for kind, body in BODIES.items():
        for name in ("mine", "other"):
            (tmp_path / "plugins" / kind).mkdir(parents=True, exist_ok=True)
            (tmp_path / "plugins" / kind / f"{name}.py").write_text(body.format(name=name))
    (tmp_path / "plugins/architectures/_helper.py").write_text("width = 3\n")
    monkeypatch.chdir(tmp_path)
    named = {"name": "mine"}
    training = {
        "optimiser": named,
        "schedule": named,
        "trainer": named,
        "augmentation": ["mine"],
        "stop": {"max_epochs": 1},
    }
    pool = {"dataset": "mine", "initialisation": "mine", "loss": "mine", "training": training}
    return {
        "seeds": 2,
        "seeds_per_job": 2,
        "datasets": {"mine": config["datasets"]["abalone"]},
        "protocols": {"report": {"mine": pool}},
        "measures": {"mine": {"batches": 2, "on": {"mine": {"rho": [0.1]}}}},
    }


def codes(config: dict) -> dict[str, str]:
    """The fingerprint of the code of every job of a study."""
    plan = Plan(read_settings(config), lambda rule: ROOT / f"workflow/scripts/{rule}.py")
    return {rule: plan.code(rule, **labels) for rule, labels in JOBS}


@pytest.mark.parametrize(("kind", "rules"), [(kind, SCRIPTS_OF[kind]) for kind in BODIES])
def test_the_code_of_a_job_holds_the_users_plug_in_that_it_uses_and_no_other(used, kind, rules):
    before = codes(used)
    for name, changed in (("other", set()), ("mine", set(rules))):
        with open(f"plugins/{kind}/{name}.py", "a") as file:
            file.write("\nchanged = True\n")
        after = codes(used)
        assert {rule for rule, found in after.items() if found != before[rule]} == changed


def test_the_code_of_a_job_holds_what_the_users_plug_in_imports(used):
    before = codes(used)
    Path("plugins/architectures/_helper.py").write_text("width = 4\n")
    after = codes(used)
    assert {rule for rule, found in after.items() if found != before[rule]} == {"train", "measure"}


@pytest.mark.parametrize(
    ("kind", "body", "rules"),
    [
        (
            "statistics",
            'COLUMNS = {"mine": "a column"}\n\n\ndef mine(comparisons):\n    ...\n',
            {"tau_table", "report"},
        ),
        ("figures", "def draw(tables):\n    ...\n", {"report"}),
    ],
)
def test_a_statistic_or_a_figure_of_the_users_is_in_the_code_of_the_table_and_of_the_page(used, kind, body, rules):
    before = codes(used)
    Path(f"plugins/{kind}").mkdir()
    Path(f"plugins/{kind}/mine.py").write_text(body)
    after = codes(used)
    assert {rule for rule, found in after.items() if found != before[rule]} == rules
