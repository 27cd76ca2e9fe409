"""The examples of docstrings and of pages give what stands there."""

import ast
import doctest
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "adaptive_sharpness"
FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = [path for path in FILES if ">>>" in path.read_text("utf-8")]
PAGES = [
    page for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if ">>>" in page.read_text("utf-8")
]
RUNNER = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
DEFINITIONS = ast.FunctionDef | ast.ClassDef
HAVE_EXAMPLES = (  # files and folders of which each public function has an example
    *("architectures", "datasets", "initialisations", "landscape", "losses", "measures", "optimisers"),
    *("plugins.py", "schedules", "stats", "study", "tables_of_runs"),
)
IS_HASHED = "its docstring counts as code: the file is a figure's, or asks for docstrings"
WHOLE_JOB = "a whole job, which reads the files of those before it"
NO_ANSWER = "what it gives is the machine's, or it changes the process alone"
NO_EXAMPLE = {  # functions of the study without an example, and why
    "config.messages": {"line": IS_HASHED},
    "fetching.stage": {"prepare": WHOLE_JOB},
    "measuring.stage": {"measure": WHOLE_JOB},
    "report.figures.ladder": {"draw": IS_HASHED},
    "report.figures.share_of_best": {"draw": IS_HASHED},
    "report.figures.tau_vs_rho": {"draw": IS_HASHED},
    "report.figures.test_loss_vs_sharpness": {"draw": IS_HASHED},
    "report.figures.trust": {"draw": IS_HASHED},
    "report.stage": {"report": WHOLE_JOB},
    "running.code": dict.fromkeys(("closure", "distributions", "digest", "require"), IS_HASHED),
    "running.job": {
        "running": "a job of Snakemake runs within it",
        **dict.fromkeys(("start", "keep_memory", "touch_constants", "gpus"), NO_ANSWER),
    },
    "training.stage": {"train": WHOLE_JOB},
    "verify": dict.fromkeys(("verify_study", "verify_all"), "reads a whole study: its config and all its results"),
}
OF_TORCH = {"Product": {"forward", "setup_context", "backward", "jvp", "vmap"}}  # torch calls these; the class has one


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def run(text: str, names: dict, name: str, path: Path, line: int = 0) -> None:
    """Run the examples of a text; the report of those that fail is what pytest shows of stdout."""
    case = doctest.DocTestParser().get_doctest(text, names, name, str(path), line)
    assert RUNNER.run(case).failed == 0, f"{path}: {name}: another answer than the example's, see above"


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_examples_of_a_module(path, tmp_path, monkeypatch):
    """From the syntax tree: doctest itself would not find those of cached properties."""
    monkeypatch.chdir(tmp_path)  # an example needs no file of the repository
    names = vars(import_module(dotted(path)))
    tree = ast.parse(path.read_text("utf-8"))
    for node in (tree, *(node for node in ast.walk(tree) if isinstance(node, DEFINITIONS))):
        if text := ast.get_docstring(node):
            run(text, names.copy(), getattr(node, "name", "module"), path, getattr(node, "lineno", 0))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_examples_of_a_page(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```\w*\n(.*?)^```", path.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    examples = [block for block in blocks if ">>>" in block]
    assert examples, "got >>> outside of a block of code, wanted it inside"
    run("\n".join(examples), {}, path.name, path)


def without_example(path: Path) -> list[str]:
    """The public functions and methods of a file whose docstring has no example."""
    tree = ast.parse(path.read_text("utf-8"))
    top = [node for node in tree.body if isinstance(node, DEFINITIONS) and not node.name.startswith("_")]
    methods = [(of.name, node) for of in top if isinstance(of, ast.ClassDef) for node in of.body]
    functions = [pair for pair in [*(("", node) for node in top), *methods] if isinstance(pair[1], ast.FunctionDef)]
    public = [(of, node) for of, node in functions if not node.name.startswith("_")]
    asked = [(of, node) for of, node in public if node.name not in OF_TORCH.get(of, ())]
    return [f"{of}.{node.name}".strip(".") for of, node in asked if ">>>" not in (ast.get_docstring(node) or "")]


def test_each_public_function_has_an_example():
    files = [path for path in FILES if path.relative_to(PACKAGE).parts[0] in HAVE_EXAMPLES]
    without = {dotted(path): set(names) for path in files if (names := without_example(path))}
    assert without == {f"adaptive_sharpness.study.{name}": set(reasons) for name, reasons in NO_EXAMPLE.items()}
