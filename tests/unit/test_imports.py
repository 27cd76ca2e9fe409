"""The static import closure against what Python really imports, and the digest that decides what is remade."""

import ast
import json
import re
import shutil
import subprocess
import sys
from functools import cache
from importlib import metadata
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest

from adaptive_sharpness import imports, plan

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "workflow/scripts").glob("*.py"))
NAMED = {  # the modules that config names, and the scripts to which the rules add them
    "datasets/[!_]*": ["prepare"],
    "architectures/[!_]*": ["train", "measure"],
    "training": ["train"],
    "measures/[!_]*": ["measure"],
    "released/[!_]*": ["train", "measure"],
}
ADDED = [
    (ROOT / f"workflow/scripts/{script}.py", path)
    for pattern, scripts in NAMED.items()
    for path in sorted(imports.PACKAGE.glob(f"{pattern}.py"))
    for script in scripts
]
MODULES = list(dict.fromkeys(path for _, path in ADDED))
IMPORT_ALL = """
import ast, builtins, importlib, json, sys
from pathlib import Path

import_ = builtins.__import__

def watched(name, globals=None, locals=None, fromlist=(), level=0):
    asking = (globals or {}).get("__name__") or ""
    if level == 0 and asking.split(".")[0] in ("adaptive_sharpness", "script"):
        asked.add(name.split(".")[0])
    return import_(name, globals, locals, fromlist, level)

builtins.__import__ = watched

def load(path):
    place = path.resolve().relative_to(Path.cwd()).with_suffix("").parts
    if place[0] == "adaptive_sharpness":
        importlib.import_module(".".join(place))
        return
    nodes = ast.parse(path.read_text()).body
    statements = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    exec(compile(ast.Module(statements, []), path, "exec"), {"__name__": "script"})

def ours():
    return [name for name in sys.modules if name.split(".")[0] == "adaptive_sharpness"]

found, others = {}, {}
for script in sys.argv[1:]:
    asked = set()
    for name in ours():
        del sys.modules[name]
    load(Path(script))
    found[script] = [str(Path(sys.modules[name].__file__).resolve()) for name in ours()]
    asked -= sys.stdlib_module_names | {"adaptive_sharpness"}
    others[script] = {name: str(Path(sys.modules[name].__file__).resolve()) for name in asked}
print(json.dumps([found, others]))
"""


def python(code: str, tree: Path, *arguments: object) -> str:
    """What some code prints, with the package of this tree."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
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
    code = "import sys; from pathlib import Path; from adaptive_sharpness import imports; "
    code += "print(imports.digest(Path(sys.argv[1]), *(imports.PACKAGE / f'{m}.py' for m in sys.argv[2:])))"
    return python(code, tree, tree / script, *modules)


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
    assert imports.PACKAGE / "__init__.py" in files
    assert files <= imports.closure(script)


@pytest.mark.parametrize(("script", "module"), ADDED, ids=named)
def test_a_module_that_is_added_to_a_script_imports_nothing_outside_their_closure(loaded, script, module):
    """But for a package around it that holds nothing but words."""
    files = set(map(Path, loaded[str(module)]))
    assert {module, module.parent / "__init__.py", imports.PACKAGE / "__init__.py"} <= files
    assert {path for path in files - imports.closure(script, module) if not is_bare(path)} == set()


def is_bare(path: Path) -> bool:
    """Whether a file is the docstring of a package."""
    tree = imports.parse(path)
    return path.name == "__init__.py" and len(tree.body) == 1 and ast.get_docstring(tree) is not None


def test_the_modules_that_config_names_are_among_them(config):
    assert {imports.PACKAGE / f"{name}.py" for name in plan.files(config)} <= set(MODULES)


@pytest.mark.parametrize("script", SCRIPTS + MODULES, ids=named)
def test_every_package_that_a_script_imports_is_known_with_its_version(imported, script):
    """Packages are found here by the file that was loaded, and there by their lists of modules."""
    files = imported[1][str(script)]
    assert files
    known = imports.distributions(script)
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
        (
            "train",
            {"pandas", "matplotlib", "scipy", "statsmodels", "scikit-learn", "snakemake"},
        ),
        ("measure", {"matplotlib", "scipy", "statsmodels", "scikit-learn", "curvlinops-for-pytorch"}),
        ("tau_table", {"matplotlib", "Jinja2", "torch-geometric", "pooch"}),
        ("page", {"matplotlib", "scipy", "statsmodels", "torch-geometric"}),
        ("tau_figure", {"statsmodels", "torch-geometric", "Jinja2", "pyarrow"}),
    ],
)
def test_a_package_that_a_script_does_not_import_is_left_out(script, without):
    assert without <= {each.name for each in metadata.distributions()}
    assert not without & imports.distributions(ROOT / f"workflow/scripts/{script}.py").keys()


def test_a_closure_leaves_out_what_a_script_does_not_need():
    """Else a change of a figure would retrain the networks."""
    trains = imports.closure(ROOT / "workflow/scripts/train.py")
    assert imports.PACKAGE / "training.py" in trains
    assert not {imports.PACKAGE / f"{name}.py" for name in ("figures", "page", "tables", "ascent")} & trains


def test_modules_that_config_names_are_given_as_files():
    file = imports.PACKAGE / "measures/worst_case.py"
    assert file not in imports.closure(ROOT / "workflow/scripts/measure.py")
    assert {file, imports.PACKAGE / "balls.py"} <= imports.closure(file)


@pytest.mark.parametrize(
    "statement",
    [
        "import adaptive_sharpness.balls",
        "import os, adaptive_sharpness.balls as b",
        "from adaptive_sharpness import balls",
        "from adaptive_sharpness.balls import LInf",
        "def late():\n    from adaptive_sharpness import balls",
        "if True:\n    import adaptive_sharpness.balls",
        "from adaptive_sharpness.measures.worst_case import measure",
    ],
)
def test_every_form_of_import_is_seen(tmp_path, statement):
    script = tmp_path / "script.py"
    script.write_text(statement)
    assert {script, imports.PACKAGE / "__init__.py", imports.PACKAGE / "balls.py"} <= imports.closure(script)


@pytest.fixture
def package(tree, monkeypatch) -> Path:
    """The package of the copy, as the one whose imports are followed."""
    monkeypatch.setattr(imports, "PACKAGE", (tree / "adaptive_sharpness").resolve())
    return imports.PACKAGE


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
    wanted = {package / name for name in (place, "__init__.py", "measures/worst_case.py", "balls.py")}
    assert wanted <= imports.closure(package / place)


@pytest.mark.parametrize(
    ("place", "name"),
    [("../script.py", "."), ("mine.py", "..other"), ("__init__.py", ".."), ("measures/mine.py", "...")],
)
def test_an_import_that_leads_out_of_the_package_gives_a_line(package, place, name):
    (package / place).write_text(f"import os\nfrom {name} import balls\n")
    line = f"{(package / place).resolve()}, line 2: got an import from {name}, wanted one from adaptive_sharpness or "
    with pytest.raises(ValueError, match=f"^{re.escape(line)}from an installed package$"):
        imports.closure(package / place)


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
        imports.parse(path)


def test_a_file_in_another_encoding_is_read_as_python_reads_it(tmp_path):
    (tmp_path / "mine.py").write_bytes(b"# coding: latin-1\nname = '\xfc'\n")
    assert ast.literal_eval(imports.parse(tmp_path / "mine.py").body[0].value) == "ü"


@pytest.mark.parametrize("ask", [imports.closure, imports.distributions, imports.digest])
def test_a_file_deep_in_what_is_imported_that_is_no_python_gives_a_line(package, ask):
    (package / "balls.py").write_text("def broken(:\n")
    with pytest.raises(ValueError, match=r"/balls\.py, line 1: got no Python: "):
        ask(package / "measures/worst_case.py")


def test_of_another_package_the_version_is_known_and_no_file(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import json\nimport torch.nn\nfrom sklearn import tree\nfrom balls import LInf\n")
    assert imports.closure(script) == {script}
    known = {name: distribution(name).version for name in ("torch", "scikit-learn")}
    assert imports.distributions(script) == known


@pytest.mark.parametrize(("package", "changes"), [("torch", True), ("safetensors", True), ("pandas", False)])
def test_another_version_of_a_package_changes_the_digest_of_what_imports_it(tree, other_version, package, changes):
    before = digest(tree, "workflow/scripts/train.py")
    other_version(tree, package, "999.1")
    assert (digest(tree, "workflow/scripts/train.py") != before) == changes


def test_a_second_copy_of_the_same_version_leaves_the_digest(tree, other_version):
    before = digest(tree, "workflow/scripts/train.py")
    other_version(tree, "torch", distribution("torch").version)
    assert digest(tree, "workflow/scripts/train.py") == before


DEEP = ["adaptive_sharpness/randomness.py", "adaptive_sharpness/measures/__init__.py", "workflow/scripts/measure.py"]


@pytest.mark.parametrize("changed", [*DEEP, "adaptive_sharpness/balls.py"])
def test_a_change_however_deep_changes_the_digest(tree, changed):
    """balls.py is imported by ascent.py, which is imported by a module that config names."""
    before = digest(tree, "workflow/scripts/measure.py", "measures/worst_case")
    with open(tree / changed, "a") as file:
        file.write("\n# changed\n")
    assert digest(tree, "workflow/scripts/measure.py", "measures/worst_case") != before


def test_a_change_of_a_file_that_is_not_imported_leaves_the_digest(tree):
    before = digest(tree)
    (tree / "adaptive_sharpness/figures.py").write_text("")
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
    assert imports.digest(Path("../" * 20) / script.relative_to("/")) == imports.digest(script)


def test_the_digest_does_not_depend_on_where_the_tree_lies(tree):
    assert digest(tree, "workflow/scripts/train.py") == digest(ROOT, "workflow/scripts/train.py")


def test_a_change_of_the_pages_template_changes_the_digest_of_the_page(tree):
    before = digest(tree, "workflow/scripts/page.py")
    with open(tree / "adaptive_sharpness/page.html", "a") as file:
        file.write("<!-- changed -->\n")
    assert digest(tree, "workflow/scripts/page.py") != before
