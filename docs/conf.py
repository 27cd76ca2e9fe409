"""Sphinx builds the site from the pages of this folder and from the package's docstrings."""

import re
import runpy
import sys
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # the reference is that of this checkout

from adaptive_sharpness import __version__  # noqa: E402

project = "adaptive-sharpness"
release = version = __version__
author = "the authors of adaptive-sharpness"
copyright = author
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "_generated", "results"]

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

# Every reference must resolve; what signatures say of torch, numpy, ... and of private modules has no page here.
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!adaptive_sharpness\.).*|.*\._.*|.*\.Annotated")]

autodoc_inherit_docstrings = False  # or torch's own would be shown, whose references end here
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
add_module_names = False
maximum_signature_line_length = 100
toc_object_entries_show_parents = "hide"
napoleon_numpy_docstring = False
default_role = "code"  # in docstrings `name` is code

html_theme = "furo"
html_title = "adaptive-sharpness"
html_copy_source = False
html_math_renderer = "mathml"


def setup(app) -> dict:
    """Write the tables that are made at build, and say how a formula is shown."""
    runpy.run_path(str(HERE / "tables.py"))["write"](HERE / "_generated")
    app.connect("source-read", _link_files)
    app.connect("source-read", _list_modules)
    app.connect("autodoc-process-docstring", _escape, priority=400)  # before napoleon, which writes markup
    # Browsers show MathML themselves: no script to load, from nowhere.
    app.add_html_math_renderer("mathml", (_inline_formula, None), (_formula, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _link_files(app, page: str, source: list[str]) -> None:
    """Make of a link to a page that lies outside of this folder, such as ../SECURITY.md, one to the file."""
    source[0] = re.sub(r"\]\((\.\./[^)#]*\.md)\)", r"](path:\1)", source[0])


def _list_modules(app, page: str, source: list[str]) -> None:
    """Put the reference of each public module of a folder where a page says <!-- modules of FOLDER -->."""
    source[0] = re.sub("<!-- modules of (.*) -->", lambda found: _modules(HERE.parent / found[1]), source[0])


def _modules(folder: Path) -> str:
    files = [path for path in sorted(folder.rglob("*.py")) if path.name[0] != "_" or path.name == "__init__.py"]
    return "\n".join(map(_module, files))


def _module(path: Path) -> str:
    name = ".".join(path.relative_to(HERE.parent).with_suffix("").parts).removesuffix(".__init__")
    # What a package takes from its private modules is shown with the package, all else with the module that has it.
    private = path.name == "__init__.py" and re.search(r"^from \S+\._\w+ import", path.read_text("utf-8"), re.M)
    option = "" if private else "\n   :ignore-module-all:"
    return f"### `{name}`\n\n```{{eval-rst}}\n.. automodule:: {name}{option}\n```\n"


def _escape(app, what, name, entity, options, lines: list[str]) -> None:
    """Escape in place what reStructuredText would take for markup: |w|, [P, *shape], p_j; neither code nor examples."""
    in_example = False
    for position, line in enumerate(lines):
        in_example = line.strip() != "" and (in_example or line.lstrip().startswith(">>>"))
        if not in_example:
            parts = re.split("(`[^`]*`)", line)
            text = (part if part[:1] == "`" else re.sub(r"([*|]|_\b)", r"\\\1", part) for part in parts)
            lines[position] = "".join(text)


def _inline_formula(translator, node: nodes.math) -> None:
    translator.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def _formula(translator, node: nodes.math_block) -> None:
    translator.body.append(tex2mathml(node.astext(), as_block=True))
    raise nodes.SkipNode
