"""Config files that are no config; each gives one line with the place in the file."""

from pathlib import Path

import pytest
import yaml

from adaptive_sharpness.study.config.yaml_file import plain_values, read_yaml

ROOT = Path(__file__).parents[2]
BAD = {
    "a list that does not end": (b"seeds: [1", "{path}, line 1, column 10: got no YAML, .+, wanted YAML"),
    "a tab": (b"seeds: 1\nrho:\n\tfcnn: 1\n", r"{path}, line 3, column 1: got no YAML, .+, wanted YAML"),
    "a key at another depth": (b"rho:\n  a: 1\n b: 2\n", "{path}, line 3, column 2: got no YAML, .+, wanted YAML"),
    "two documents": (b"a: 1\n---\nb: 1\n", "{path}, line 2, column 1: got no YAML, .+, wanted YAML"),
    "an alias of nothing": (b"a: *b\n", "{path}, line 1, column 4: got no YAML, .+, wanted YAML"),
    "a letter that YAML forbids": (b"a: \x07\n", "{path}: got no YAML, .+, wanted YAML"),
    "an object of Python": (
        b"a: !!python/object/apply:os.system [true]\n",
        "{path}, line 1, column 4: got no YAML, .*python/object/apply:os.system.*, wanted YAML",
    ),
    "a key that is a list": (b"? [a]\n: 1\n", "{path}, line 1, column 3: got no YAML, .+, wanted YAML"),
    "a key a second time": (
        b"rho:\n  a: 1\n  b: 2\n  a: 3\n",
        "{path}, line 4, column 3: got 'a' a second time, wanted every key once",
    ),
    "an alias of itself": (
        b"a: &a\n  b: *a\n",
        "{path}, line 1, column 4: got an alias inside of what it stands for, wanted values that end",
    ),
    "Python that Snakemake would run": (
        b"a: 1\n__use_yte__: true\n",
        "{path}, line 2, column 1: got __use_yte__, wanted YAML alone: Snakemake would run the code in it",
    ),
    "nothing": (b"", "{path}: got no mapping, wanted keys such as seeds: 50"),
    "a list": (b"- seeds\n", "{path}: got no mapping, wanted keys such as seeds: 50"),
    "bytes that are no text": (b"a: \xff\n", r"{path}: got no text \(byte 3\), wanted YAML in UTF-8"),
}


@pytest.mark.fault(fault="a config file that is no config", sees="`FILE, line, column: got ..., wanted ...`")
@pytest.mark.parametrize(("content", "line"), BAD.values(), ids=BAD.keys())
def test_a_file_that_is_no_config_gives_a_line_with_the_place(tmp_path, monkeypatch, content, line):
    monkeypatch.chdir(tmp_path)
    Path("bad.yaml").write_bytes(content)
    with pytest.raises(ValueError, match=f"^{line.format(path='bad.yaml')}$"):
        read_yaml("bad.yaml")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"/none\.yaml: got No such file or directory, wanted a config file$"):
        read_yaml(tmp_path / "none.yaml")


SHIPPED = [*sorted((ROOT / "config").glob("*.yaml")), *sorted((ROOT / "studies").glob("*/*.yaml"))]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_shipped_files_are_read_as_yaml_reads_them(path):
    """Their anchors and merged keys too: a key that overrides a merged one stands there once."""
    assert read_yaml(path) == yaml.safe_load(path.read_text())


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-4", 1e-4), ("7", 7), ("-.5", -0.5), ("true", True), ("false", False), ("nan", "nan"), ("2e", "2e"), ("", "")],
)
def test_a_text_that_spells_a_number_or_a_truth_is_read_as_such(text, value):
    assert plain_values({"a": [text]}) == {"a": [value]}
    assert type(plain_values(text)) is type(value)
