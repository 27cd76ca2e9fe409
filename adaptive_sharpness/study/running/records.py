"""What lies beside each file that a job writes, in FILE.sha256: the file's hash, and what it was made from.

The hash stands in the first line, as `sha256sum FILE` prints it. Below it, as a comment for `sha256sum --check`, stand
the settings, the digest of the code and the hashes of the inputs. So a result says of itself whether it is still the
one that a config asks for, wherever it was copied to.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

SAID = "# made_from "


@dataclass(frozen=True)
class Origin:
    """What a file was made from.

    Args:
        settings: what the config says of its job, by the names of the rule's params.
        code: the digest of the job's code.
        before: the digest of what its inputs were made from, in turn.
        inputs: the sha256 of each file that the job read, in order.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""
    before: str = ""
    inputs: tuple[str, ...] = ()

    @property
    def recipe(self) -> str:
        """The digest of all settings and code that made the file, from raw data on: not of what the files hold.

        Example:
            >>> Origin({"lr": 0.1}).recipe == Origin({"lr": 0.1}, inputs=("ab",)).recipe
            True
        """
        return _digest([_plain(self.settings), self.code, self.before])

    def difference(self, wanted: "Origin", names: Iterable[str]) -> str:
        """Return the first thing in which this differs from what is wanted, as one line; empty if nothing does.

        Args:
            wanted: what the file should have been made from.
            names: the inputs', in order.

        Example:
            >>> Origin({"pool": {"lr": 0.3}}).difference(Origin({"pool": {"lr": 0.2}}), ())
            'made from pool.lr 0.3, wanted 0.2'
        """
        for key, got, asked in _differing(_plain(self.settings), _plain(wanted.settings), ""):
            return f"made from {key} {_short(got)}, wanted {_short(asked)}"
        if self.code != wanted.code:
            return f"made from code {_short(self.code)}, wanted {_short(wanted.code)}"
        if self.before != wanted.before:
            return "made from files that other settings or other code had made"
        if len(self.inputs) != len(wanted.inputs):
            return f"made from {len(self.inputs)} files, wanted {len(wanted.inputs)}"
        pairs = zip(names, self.inputs, wanted.inputs, strict=True)
        differing = ((name, got, asked) for name, got, asked in pairs if asked and got != asked)
        return next((f"made from {name} {_short(got)}, wanted {_short(asked)}" for name, got, asked in differing), "")


def said_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels of a job that say something: a pool that varies nothing has one setting, without a name.

    Example:
        >>> said_labels({"pool": "gat", "setting": ""})
        {'pool': 'gat'}
    """
    return {name: label for name, label in labels.items() if label}


def before(recipes: Iterable[str]) -> str:
    """Return the digest of what some files were made from, given the recipe of each, in order.

    Example:
        >>> before(["ab", "cd"]) == hashlib.sha256(b'["ab", "cd"]').hexdigest()
        True
    """
    return _digest(list(recipes))


def record(paths: Iterable[str | Path], origin: Origin | None = None) -> None:
    """Write FILE.sha256 beside each file.

    Args:
        paths: the files, as a job has just written them; of a folder all files in it.
        origin: what they were made from.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "tau.csv").write_text("abc")
        ...     record([folder])
        ...     Path(folder, "tau.csv.sha256").read_text().split()[:2]  # FIPS 180-2, appendix B.1
        ['ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad', 'tau.csv']
    """
    said = SAID + json.dumps(asdict(origin or Origin()), sort_keys=True) + "\n"
    for path in _files(paths):
        _beside(path).write_text(_line(path) + said)


def verify(paths: Iterable[str | Path]) -> list[str]:
    """Hold files against what `record` wrote beside them; one with nothing beside it, such as raw data, is not checked.

    Args:
        paths: the files, before they are read.

    Returns:
        Their hashes, in order.

    Raises:
        OSError: if a file is not what it was; the message names it and says how to remake it.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "tau.csv").write_text("abc")
        ...     verify([Path(folder, "tau.csv")])  # FIPS 180-2, appendix B.1
        ['ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad']
    """
    hashes = []
    for path in _files(paths):
        found = _line(path)
        if said := _damage(path, found):
            raise OSError(said)
        hashes.append(found.split("  ")[0])
    return hashes


def damaged(paths: Iterable[str | Path]) -> Iterator[str]:
    """Yield a line about each file that is not what `record` wrote beside it.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "tau.csv").write_text("abc")
        ...     record([folder])
        ...     _ = Path(folder, "tau.csv").write_text("abd")
        ...     len(list(damaged([folder])))
        1
    """
    yield from filter(None, (_damage(path, _line(path)) for path in _files(paths)))


def forget(paths: Iterable[str | Path]) -> None:
    """Remove what stands beside files that a job is about to write: half of one must not pass for a whole one.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "tau.csv").write_text("abc")
        ...     record([folder])
        ...     forget([Path(folder, "tau.csv")])
        ...     [path.name for path in Path(folder).iterdir()]
        ['tau.csv']
    """
    for path in map(Path, paths):
        _beside(path).unlink(missing_ok=True)


def origin(path: str | Path) -> Origin | None:
    """Return what a file says that it was made from; None where it says nothing.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "tau.csv").write_text("abc")
        ...     record([folder], Origin({"rho": 0.1}, code="ab"))
        ...     origin(Path(folder, "tau.csv"))
        Origin(settings={'rho': 0.1}, code='ab', before='', inputs=())
    """
    try:
        _, said, *_ = _beside(Path(path)).read_text().splitlines()
        made_from = json.loads(said.removeprefix(SAID))
        return Origin(**{**made_from, "inputs": tuple(made_from["inputs"])})
    except (OSError, ValueError, KeyError, TypeError):  # none, or not to its end
        return None


def recipe(path: str | Path) -> str:
    """Return the recipe of a file by its record; empty where it has none, as raw data have none.

    Example:
        >>> recipe("data/raw/of_no_record.csv")
        ''
    """
    said = origin(path)
    return said.recipe if said else ""


def recorded_hash(path: str | Path) -> str:
    """Return the sha256 that stands beside a file, or else that of its contents; empty where there is no file.

    Example:
        >>> recorded_hash("of_no_file.csv")
        ''
    """
    path = Path(path)
    if not path.exists():
        return ""
    return _first_line(_beside(path)).split("  ")[0] if _beside(path).exists() else sha256(path)


def sha256(path: str | Path) -> str:
    """The hash of a file's bytes, in hexadecimal digits.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "abc").write_text("abc")
        ...     sha256(Path(folder, "abc"))  # FIPS 180-2, appendix B.1
        'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _damage(path: Path, found: str) -> str:
    wanted = _first_line(_beside(path)) if _beside(path).exists() else found
    if found == wanted:
        return ""
    got, wanted = (line.strip() or "nothing" for line in (found, wanted))
    return f"{path}: damaged since it was written: got sha256 {got}, wanted {wanted}: delete it and rerun"


def _files(paths: Iterable[str | Path]) -> Iterator[Path]:
    """The files, and those of each folder among them."""
    for path in map(Path, paths):
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (file for file in inside if not file.is_dir() and file.suffix != ".sha256")


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _line(path: Path) -> str:
    return f"{sha256(path)}  {path.name}\n"


def _first_line(path: Path) -> str:
    return path.read_text(errors="replace").partition("\n")[0] + "\n"


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _plain(settings: Mapping[str, Any]) -> Any:
    """As JSON gives it back."""
    return json.loads(json.dumps(settings))


def _differing(got: Any, wanted: Any, key: str) -> Iterator[tuple[str, Any, Any]]:
    """Each place where two settings differ."""
    if isinstance(got, dict) and isinstance(wanted, dict):
        for name in sorted({*got, *wanted}):
            yield from _differing(got.get(name), wanted.get(name), f"{key}.{name}" if key else name)
    elif got != wanted or type(got) is not type(wanted):
        yield key, got, wanted


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 12 or not isinstance(value, str) else f"{text[:12]}..."
