"""What the README promises of `pip install`: the package with one extra works without what the others bring."""

import re
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
ABSENT = {
    "": ["torch", "torchvision", "pydantic", "yaml", "snakemake", "dvc", "pytest"],
    "library": ["torch_geometric", "pydantic", "snakemake", "dvc", "pytest"],
    "study": ["pytest", "hypothesis", "sphinx"],
}
STATISTICS = """
    import pkgutil
    from importlib import import_module
    from adaptive_sharpness import stats
    from adaptive_sharpness.stats.kendall import kendall

    for module in pkgutil.iter_modules(stats.__path__):
        import_module(f"{stats.__name__}.{module.name}")
    result = kendall([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 4.0, 3.0])
    print(round(result.statistic, 12), *(0 <= bound + 1 <= 2 for bound in result.confidence_interval()))
"""
OTHERS = """
    from adaptive_sharpness import average_case, hessian

    print(result)
    print(average_case(model, torch.nn.functional.mse_loss, [batch], rho=0.01, samples=2))
    print(hessian(model, torch.nn.functional.mse_loss, [batch], vectors=1))
"""
ALL_MODULES = """
    import pkgutil
    from importlib import import_module
    import adaptive_sharpness

    modules = list(pkgutil.walk_packages(adaptive_sharpness.__path__, "adaptive_sharpness."))
    for module in modules:
        import_module(module.name)
    print(len(modules))
"""


def code(text: str) -> tuple[str, str]:
    return "-c", textwrap.dedent(text)


@pytest.mark.parametrize("extra", ABSENT)
def test_an_environment_holds_all_that_is_asked_for_and_nothing_besides(environment, extra):
    tried = f"""
        from importlib.util import find_spec
        print(*[name for name in {["numpy", *ABSENT[extra]]} if find_spec(name)])
    """
    assert environment(extra).run(*code(tried)).stdout.split() == ["numpy"]


def test_the_statistics_need_no_torch(environment):
    done = environment("").run(*code(STATISTICS))
    assert done.stdout.split() == ["0.666666666667", "True", "True"], done.stderr


def test_a_measure_without_torch_says_what_brings_it(environment):
    done = environment("").run(*code("from adaptive_sharpness import worst_case"))
    assert done.returncode == 1
    wanted = "got no torch, wanted it installed: pip install 'adaptive-sharpness[library]'"
    assert done.stderr.splitlines()[-1] == f"ImportError: worst_case: {wanted}"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--help"], "usage: adaptive-sharpness"),
        (["check", "--help"], "usage: adaptive-sharpness check"),
        (["--version"], "0.2.0"),
        (["plugins", "measures"], "average_case\nhessian\nworst_case\n"),
    ],
)
def test_the_command_line_needs_no_torch(environment, arguments, said):
    done = environment("").run("adaptive-sharpness", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(said)


def test_the_lines_of_the_readme_need_the_extra_library_alone(environment):
    """And so do the other measures."""
    (lines,) = [block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "worst_case(" in block]
    done = environment("library").run(*code(lines + textwrap.dedent(OTHERS)))
    assert re.findall(r"^(\w+)\(", done.stdout, re.MULTILINE) == ["WorstCase", "AverageCase", "Curvature"], done.stderr


def test_every_module_needs_the_extra_study_alone(environment):
    done = environment("study").run(*code(ALL_MODULES))
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100
