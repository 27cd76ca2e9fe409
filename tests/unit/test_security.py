"""What SECURITY.md promises, where no other test holds it."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("adaptive_sharpness", "workflow", "plugins", "studies")
PYTHON = sorted(path for part in PARTS for path in (ROOT / part).rglob("*.py"))
RULES = [ROOT / "Snakefile", *sorted((ROOT / "workflow/rules").glob("*.smk"))]
UNSAFE = {"eval", "exec", "compile", "__import__", "pickle.load", "pickle.loads", "pickle.Unpickler", "torch.load"}
UNSAFE |= {"yaml.load", "yaml.unsafe_load", "yaml.full_load", "os.system", "numpy.load", "np.load", "pd.read_pickle"}
UNSAFE |= {"shutil.unpack_archive", "marshal.loads", "shelve.open", "joblib.load", "torch.hub.load"}
METHODS = {"extract", "extractall", "read_pickle"}  # of archives, which would write where a member says
IMPORTS = {
    "import_module",
    "importlib.import_module",
    "__import__",
    "spec_from_file_location",
    "run_path",
    "run_module",
}


def called(source: str) -> set[str]:
    """Names of all that a source calls, inherits from or imports; methods by their last part too."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            names |= {ast.unparse(node.func)}
            names |= {node.func.attr} & METHODS if isinstance(node.func, ast.Attribute) else set()
        elif isinstance(node, ast.ClassDef):
            names |= {ast.unparse(base) for base in node.bases}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def unsafe(source: str) -> set[str]:
    shells = {"shell=True"} if re.search(r"shell\s*=\s*True", source) else set()
    return (called(source) & (UNSAFE | METHODS)) | shells


@pytest.mark.parametrize(
    "source",
    [
        "import yaml\nyaml.load(a)",
        "from pickle import loads",
        "eval('1')",
        "archive.extractall(a)",
        "run(a, shell=True)",
    ],
)
def test_what_is_unsafe_is_found(source):
    assert unsafe(source)


READERS = "adaptive_sharpness/study/importing/readers.py"  # of models, which call these with what makes them safe


def test_nothing_that_runs_what_it_reads_is_called_but_the_unpickler_of_cora():
    found = {path.relative_to(ROOT).as_posix(): unsafe(path.read_text()) for path in PYTHON}
    assert {path: names for path, names in found.items() if names} == {
        "adaptive_sharpness/datasets/cora.py": {"pickle.Unpickler"},
        READERS: {"torch.load", "np.load"},
    }


def test_models_from_elsewhere_are_read_as_tensors_alone():
    """Each call says so itself; torch.load with weights_only is safe from torch 2.6 on, the oldest that is allowed."""
    calls = [node for node in ast.walk(ast.parse((ROOT / READERS).read_text())) if isinstance(node, ast.Call)]
    said = {(ast.unparse(call.func), each.arg, ast.unparse(each.value)) for call in calls for each in call.keywords}
    assert {("torch.load", "weights_only", "True"), ("np.load", "allow_pickle", "False")} <= said
    assert sum(ast.unparse(call.func) in ("torch.load", "np.load") for call in calls) == 2
    assert '"torch>=2.6"' in (ROOT / "pyproject.toml").read_text()


def test_a_name_becomes_a_module_at_the_door_alone():
    """And in the package's own list of what it offers, where no name of a config gets to."""
    found = {path.relative_to(ROOT).as_posix() for path in PYTHON if called(path.read_text()) & IMPORTS}
    assert found == {"adaptive_sharpness/plugins.py", "adaptive_sharpness/__init__.py"}


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_the_rules_run_no_shell_and_load_yaml_safely(path):
    text = path.read_text()
    assert not re.search(r"\b(shell|run):|\b(eval|exec)\(|yaml\.(load|full_load|unsafe_load)\(|pickle", text)


def test_the_sources_of_the_study_are_https_and_their_files_are_pinned(config):
    web = [source["web"] for block in config["datasets"].values() for source in block["sources"] if "web" in source]
    assert len(web) > 3
    assert [address for address in web if not address.startswith("https://")] == []


LOCK = (ROOT / "envs/requirements.lock").read_text()
REQUIREMENTS = [each for each in re.split(r"\n(?=\S)", LOCK) if each and not each.startswith(("#", "--"))]


def test_every_package_of_the_lock_has_its_version_and_hashes():
    assert len(REQUIREMENTS) > 50
    pinned = re.compile(
        r"[\w.\[\],-]+==[\w.+!]+( ;[^\n]+)? \\\n( +--hash=sha256:[0-9a-f]{64}( \\)?\n?)+( +#[^\n]*\n?)*"
    )
    assert [each.splitlines()[0] for each in REQUIREMENTS if not pinned.fullmatch(each)] == []


def test_the_environment_is_built_from_hashes_alone():
    """The package itself comes from the tree, without dependencies."""
    makefile = (ROOT / "Makefile").read_text()
    installs = [line for line in makefile.splitlines() if "pip install" in line]
    assert installs
    assert all("--require-hashes" in line or "--no-deps" in line for line in installs)


PROMISES = re.findall(r"`(tests/[\w/.]+::\w+)`", (ROOT / "SECURITY.md").read_text())


@pytest.mark.parametrize("promise", PROMISES)
def test_each_promise_names_a_test_that_exists(promise):
    path, name = promise.split("::")
    assert re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.MULTILINE)


def test_every_promise_has_a_test():
    rows = [line for line in (ROOT / "SECURITY.md").read_text().splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 8
    assert [row for row in rows if "::test_" not in row and "---" not in row] == []
