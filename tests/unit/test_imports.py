"""The static import closure against what Python really imports, and the digest that decides what is remade."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from adaptive_sharpness import imports

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "workflow/scripts").glob("*.py"))
IMPORT_ALL = """
import ast, json, sys
from pathlib import Path

def ours():
    return [name for name in sys.modules if name.split(".")[0] == "adaptive_sharpness"]

found = {}
for script in sys.argv[1:]:
    for name in ours():
        del sys.modules[name]
    nodes = ast.parse(Path(script).read_text()).body
    statements = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    exec(compile(ast.Module(statements, []), script, "exec"), {})
    found[script] = [str(Path(sys.modules[name].__file__).resolve()) for name in ours()]
print(json.dumps(found))
"""


def python(code: str, tree: Path, *arguments: object) -> str:
    """What some code prints, with the package of this tree."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=tree, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def loaded() -> dict[str, list[str]]:
    """The files of the package that the import statements of each script load, and nothing but these statements."""
    return json.loads(python(IMPORT_ALL, ROOT, *SCRIPTS))


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


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_imports_nothing_outside_its_closure(loaded, script):
    files = set(map(Path, loaded[str(script)]))
    assert imports.PACKAGE / "__init__.py" in files
    assert files <= imports.closure(script)


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


def test_an_import_of_another_package_is_left_out(tmp_path):
    (tmp_path / "script.py").write_text("import json\nimport torch.nn\nfrom balls import LInf\n")
    assert imports.closure(tmp_path / "script.py") == {tmp_path / "script.py"}


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
