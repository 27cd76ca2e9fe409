"""The documentation as a reader meets it: built without a warning, and looked at in a real Chromium."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [path.stem for path in sorted((ROOT / "docs").glob("*.md"))]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, of a copy of the pages: building writes beside them. Any warning, as of a dead link, is an error."""
    project = tmp_path_factory.mktemp("documentation")
    for part in ("docs", "adaptive_sharpness", "benchmarks/results", "config", "data", "plugins", "studies"):
        shutil.copytree(ROOT / part, project / part, ignore=shutil.ignore_patterns("_build", "raw", "__pycache__"))
    for path in ROOT.glob("*.md"):
        shutil.copy(path, project)
    options = ("-W", "--keep-going", "-q", "-b", "html")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, "docs", "site"], cwd=project, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return project / "site"


@pytest.mark.parametrize("width", [1280, 390])
def test_each_page_fits_the_screen_asks_for_nothing_elsewhere_and_shows_its_figures(chromium, site, width):
    window = chromium.new_page(viewport={"width": width, "height": 844})
    asked = []
    window.on("request", lambda sent: asked.append(sent.url))
    for page in PAGES:
        window.goto((site / f"{page}.html").as_uri(), wait_until="load")
        assert window.evaluate("document.documentElement.scrollWidth") == width, page
        images = window.eval_on_selector_all("article img", "all => all.map(i => i.naturalWidth)")
        assert 0 not in images, page
        assert len(images) == (ROOT / f"docs/{page}.md").read_text(encoding="utf-8").count("!["), page
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    window.close()


def test_every_page_is_in_the_table_of_contents(site):
    index = (site / "index.html").read_text(encoding="utf-8")
    assert [page for page in PAGES if page != "index" and f'href="{page}.html"' not in index] == []
