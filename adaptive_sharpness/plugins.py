"""The door: the only place where a name from a config becomes a function or a class.

A name of some kind is looked up in the package's own folder of that kind, then in the user's, such as
`plugins/measures/my_measure.py`, then, for some kinds, in torch. Files whose names begin with _ are helpers and no
plug-ins. What a file offers is read from its syntax tree, so that a config is checked without running any of it.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

PACKAGE = Path(__file__).resolve().parent
USER = "adaptive_sharpness_user"  # what the user's folder is called once it is imported
LONGEST, FEW = 320, 10  # letters of all names that a line lists, and how many it lists where they are more
UNKNOWN = object()  # a default that is no literal
VALID = re.compile("[a-z][a-z0-9_]*")

# The blocks of a pool's training that name a plug-in, and the kind of each.
NAMED_BY_TRAINING = {"optimiser": "optimisers", "schedule": "schedules", "trainer": "trainers"}


@dataclass(frozen=True)
class Kind:
    """What plug-ins of one kind have in common.

    Args:
        folder: the package's own, below the package.
        function: what each file must define; empty: a function of the file's name.
        given: names of parameters that the study gives, so that no config may.
        leading: how many parameters without a name the study gives.
        torch: the module of torch or torchvision that is looked through last, empty for none.
        left_out: names in it that do not fit.
    """

    folder: str
    function: str = ""
    given: tuple[str, ...] = ()
    leading: int = 0
    torch: str = ""
    left_out: tuple[str, ...] = ()


KINDS = {
    "architectures": Kind("architectures", "build"),
    "datasets": Kind("datasets", "load", leading=1),
    "initialisations": Kind("initialisations", leading=2),
    "losses": Kind("losses", leading=2, torch="torch.nn.functional"),
    "optimisers": Kind(
        "optimisers", "build", leading=1, torch="torch.optim", left_out=("LBFGS", "Optimizer", "SparseAdam")
    ),
    "schedules": Kind(
        "schedules",
        "build",
        leading=1,
        torch="torch.optim.lr_scheduler",
        left_out=(
            "ChainedScheduler",
            "LRScheduler",
            "LambdaLR",
            "MultiplicativeLR",
            "SequentialLR",
        ),
    ),
    "augmentations": Kind(
        "augmentations",
        "build",
        torch="torchvision.transforms.v2",
        left_out=(  # what takes other things than an image, or makes another thing of it
            *("ClampBoundingBoxes", "ClampKeyPoints", "Compose", "ConvertBoundingBoxFormat", "ConvertImageDtype"),
            *("CutMix", "FiveCrop", "Lambda", "LinearTransformation", "MixUp", "PILToTensor", "RandomApply"),
            *("RandomChoice", "RandomIoUCrop", "RandomOrder", "SanitizeBoundingBoxes", "SanitizeKeyPoints"),
            *("SetClampingMode", "TenCrop", "ToDtype", "ToImage", "ToPILImage", "ToPureTensor", "ToTensor"),
            *("Transform", "UniformTemporalSubsample"),
        ),
    ),
    "trainers": Kind(
        "study/training/trainers",
        "train",
        leading=4,
        given=("optimiser", "schedule", "batch_size", "stop", "augmentation"),
    ),
    "measures": Kind(
        "measures",
        leading=3,
        given=(
            *("rho", "seed", "stacked", "states", "warm_start", "keep_delta", "progress", "callback"),
            *("eigenvectors", "density", "groups"),
            *("initial", "train_split", "test_losses"),
        ),
    ),
    "statistics": Kind("study/tables/statistics", leading=1),
    "figures": Kind("study/report/figures", "draw", leading=1),
}


@dataclass(frozen=True)
class Parameter:
    """What a plug-in takes by name, as its signature says.

    Args:
        default: what it is where it is not given, UNKNOWN where that is no literal; meaningless if required.
        required: whether it must be given.
        kind: "bool", "int" or "float" where the signature says so, else empty.
        choices: the values that it may have, where the signature says so with Literal.
    """

    default: object
    required: bool
    kind: str
    choices: tuple


def resolve(kind: str, name: str, folder: str | Path = "plugins") -> Callable:
    """Return the function or class that a name stands for.

    Args:
        kind: a key of KINDS.
        name: the name of a file, without its ending, or of something of torch.
        folder: the user's plug-ins, from the working directory.

    Returns:
        The function of the plug-in, see `Kind`; or what torch has under this name.

    Raises:
        ValueError: if there is none, or it cannot be imported; one line that says what was got and wanted.

    Example:
        >>> resolve("losses", "mse_loss").__module__
        'torch.nn.functional'
    """
    if file(kind, name, folder) is None:
        return getattr(import_module(KINDS[kind].torch), name)
    loaded, function = module(kind, name, folder), KINDS[kind].function or name
    if not callable(getattr(loaded, function, None)):
        raise ValueError(f"{loaded.__file__}: got no function {function}, wanted one")
    return getattr(loaded, function)


def module(kind: str, name: str, folder: str | Path = "plugins") -> ModuleType:
    """Return the module of a plug-in of the package or of the user.

    Args: as in `resolve`.

    Raises:
        ValueError: see `resolve`.

    Example:
        >>> module("measures", "worst_case").__name__
        'adaptive_sharpness.measures.worst_case'
    """
    path = file(kind, name, folder)
    own = path.is_relative_to(PACKAGE)
    if not own:
        _mount(Path(folder))
    dotted = f"{PACKAGE.name}.{KINDS[kind].folder.replace('/', '.')}.{name}" if own else f"{USER}.{kind}.{name}"
    try:
        return import_module(dotted)
    except Exception as error:  # whatever a user's file may do when it is run
        raise ValueError(f"{path}: cannot be imported: {type(error).__name__}: {reason(error)}") from error


def file(kind: str, name: str, folder: str | Path = "plugins") -> Path | None:
    """Return the file of a plug-in; None where the name is torch's.

    Args: as in `resolve`.

    Raises:
        ValueError: if nothing has this name, or the package and the user both have it.

    Example:
        >>> file("measures", "hessian").name, file("losses", "mse_loss")
        ('hessian.py', None)
    """
    mine, theirs = (_files(place).get(name) for place in _places(kind, folder))
    if mine and theirs:
        raise ValueError(f"{theirs}: got the name of a plug-in of the package, wanted another name")
    if not mine and not theirs and name not in torch_names(kind):
        raise ValueError(f"got {name!r}, {wanted_one_of(name, all_names(kind, folder))}")
    return mine or theirs


def wanted_one_of(name: object, allowed: Iterable[str]) -> str:
    """Return what a line says of a name that nothing has: what was wanted, and the nearest of it.

    Example:
        >>> wanted_one_of("fcn", ["fcnn", "gat"])
        'wanted one of fcnn, gat (did you mean fcnn?)'
    """
    listed = list(allowed)
    close = get_close_matches(str(name), listed, n=1)
    few = listed if len(", ".join(listed)) <= LONGEST else listed[:FEW]
    more = f" and {len(listed) - len(few)} more" if len(few) < len(listed) else ""
    return f"wanted one of {', '.join(few)}{more}" + (f" (did you mean {close[0]}?)" if close else "")


def reason(error: BaseException) -> str:
    """Return the first line of what an error says, or its kind where it says nothing.

    Example:
        >>> reason(RuntimeError("shapes differ\\nin many ways")), reason(ValueError())
        ('shapes differ', 'ValueError')
    """
    return (str(error) or type(error).__name__).splitlines()[0]


def all_names(kind: str, folder: str | Path = "plugins") -> list[str]:
    """Return all names that `resolve` knows: of the package, of the user, and of torch.

    Args: as in `resolve`.

    Example:
        >>> "hessian" in all_names("measures"), "mse_loss" in all_names("losses")
        (True, True)
    """
    return [*names(kind, folder), *torch_names(kind)]


def names(kind: str, folder: str | Path = "plugins") -> list[str]:
    """Return the names of all plug-ins of a kind, the package's own first, without torch's.

    Args: as in `resolve`.

    Example:
        >>> names("measures")
        ['average_case', 'hessian', 'worst_case']
    """
    return [name for place in _places(kind, folder) for name in _files(place)]


def torch_names(kind: str) -> list[str]:
    """Return what torch has of a kind, without importing it; nothing where torch is not installed.

    Example:
        >>> "SGD" in torch_names("optimisers"), torch_names("measures")
        (True, [])
    """
    return sorted(name for name in _torch_definitions(KINDS[kind].torch) if name not in KINDS[kind].left_out)


def parameters(kind: str, name: str, folder: str | Path = "plugins") -> dict[str, Parameter] | None:
    """Return all that a plug-in takes by name, whether the study or a config gives it; None where it takes any.

    Args: as in `resolve`.

    Raises:
        ValueError: if there is no such plug-in, it is no Python, or lacks its function.

    Example:
        >>> parameters("measures", "worst_case")["solver"].choices
        ('apgd', 'pga')
    """
    path, known = file(kind, name, folder), KINDS[kind]
    if path is None:
        definition = _torch_definitions(known.torch)[name]
    else:
        function = known.function or name
        found = [node for node in parse(path).body if isinstance(node, ast.FunctionDef) and node.name == function]
        if not found:
            raise ValueError(f"{path}: got a file without {function}(), wanted one with it")
        definition = found[-1]
    if isinstance(definition, ast.ClassDef):
        definition, leading = _constructor(definition, _torch_nodes(known.torch)), known.leading + 1  # self
    else:
        leading = known.leading
    return None if definition.args.kwarg else _parameters(definition.args, leading)


def options(kind: str, name: str, folder: str | Path = "plugins") -> dict[str, Parameter] | None:
    """Return what a config may give to a plug-in, by name; None where it takes any.

    Args: as in `resolve`.

    Raises:
        ValueError: see `parameters`.

    Example:
        >>> list(options("measures", "hessian"))[:3]
        ['scale', 'eigenvalues', 'vectors']
    """
    taken = parameters(kind, name, folder)
    return None if taken is None else {key: each for key, each in taken.items() if key not in KINDS[kind].given}


def docstring(path: Path) -> str:
    """Return the docstring of a Python file, empty where it has none, without running it.

    Example:
        >>> docstring(PACKAGE / "architectures" / "gat.py").split(" (")[0]
        "The report's graph attention network"
    """
    return ast.get_docstring(parse(path)) or ""


def parse(path: Path) -> ast.Module:
    """Return the syntax tree of a Python file, decoded as Python itself would.

    Raises:
        ValueError: if it is no Python; one line that says where.

    Example:
        >>> parse(PACKAGE / "initialisations" / "glorot.py").body[-1].name
        'glorot'
    """
    return _parsed(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=1024)
def _parsed(path: Path, _: int) -> ast.Module:
    try:
        return ast.parse(path.read_bytes())
    except SyntaxError as error:
        place = f", line {error.lineno}" if error.lineno else ""
        wanted = f"Python {sys.version_info.major}.{sys.version_info.minor}"
        raise ValueError(f"{path}{place}: got no Python: {error.msg}, wanted {wanted}") from error


def _places(kind: str, folder: str | Path) -> tuple[Path, Path]:
    return PACKAGE / KINDS[kind].folder, Path(folder) / kind


def _files(place: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted(place.glob("*.py")) if VALID.fullmatch(path.stem)}


def _mount(folder: Path) -> None:
    """Make the user's folder a package, so that its files may import each other relatively."""
    place = [str(folder.resolve())]
    if getattr(sys.modules.get(USER), "__path__", None) != place:
        for name in [name for name in sys.modules if name == USER or name.startswith(f"{USER}.")]:
            del sys.modules[name]
        sys.modules[USER] = ModuleType(USER)
        sys.modules[USER].__path__ = place


def _parameters(arguments: ast.arguments, leading: int) -> dict[str, Parameter]:
    by_place = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(by_place) - len(arguments.defaults)) + arguments.defaults
    pairs = list(zip(by_place, defaults, strict=True))[leading:]
    pairs += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return {argument.arg: _parameter(argument, default) for argument, default in pairs}


def _parameter(argument: ast.arg, default: ast.expr | None) -> Parameter:
    said = ast.unparse(argument.annotation) if argument.annotation else ""
    value = _literal(default) if default is not None else None
    ways = [way for way in said.split(" | ") if way not in ("", "None", "Tensor")] or [type(value).__name__]
    kind = ways[0] if said or type(value) in (bool, int, float) else ""
    literals = [node for node in ast.walk(argument) if isinstance(node, ast.Subscript) and _is_literal(node)]
    choices = tuple(choice for node in literals for choice in _choices(node.slice))
    is_plain = kind in ("bool", "int") or (kind == "float" and len(ways) == 1)
    return Parameter(value, default is None, kind if is_plain else "", choices)


def _literal(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return UNKNOWN


def _is_literal(node: ast.Subscript) -> bool:
    return ast.unparse(node.value) in ("Literal", "typing.Literal")


def _choices(node: ast.expr) -> tuple:
    value = _literal(node)
    return value if isinstance(value, tuple) else (value,)


@lru_cache(maxsize=8)
def _torch_definitions(dotted: str) -> dict[str, ast.stmt]:
    """What a module of torch defines that can be a plug-in: losses of (input, target), and public classes."""
    nodes = _torch_nodes(dotted)
    if dotted == "torch.nn.functional":
        return {name: node for name, node in nodes.items() if isinstance(node, ast.FunctionDef) and _is_loss(node.args)}
    classes = {name: node for name, node in nodes.items() if isinstance(node, ast.ClassDef)}
    return {name: classes[name] for name in _public(_torch_files(dotted)) if name in classes}


@lru_cache(maxsize=8)
def _torch_nodes(dotted: str) -> dict[str, ast.stmt]:
    """All functions and classes in the files of a module."""
    nodes = [node for path in _torch_files(dotted) for node in parse(path).body]
    return {node.name: node for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def _torch_files(dotted: str) -> list[Path]:
    """The files of a module, its own first; none where it is not installed."""
    first, *rest = dotted.split(".")
    spec = find_spec(first) if dotted else None
    if spec is None:
        return []
    place = Path(spec.submodule_search_locations[0]).joinpath(*rest)
    return sorted(place.glob("*.py")) or [place.with_suffix(".py")]


def _constructor(definition: ast.ClassDef, known: dict[str, ast.stmt]) -> ast.FunctionDef:
    """The `__init__` of a class, or of the first class that it is made of."""
    for node in definition.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            return node
    return _constructor(known[ast.unparse(definition.bases[0])], known)


def _is_loss(arguments: ast.arguments) -> bool:
    names = [argument.arg for argument in arguments.args]
    return names[:2] == ["input", "target"] and "reduction" in names and len(names) - len(arguments.defaults) == 2


def _public(files: list[Path]) -> list[str]:
    """The names in its __all__; where it has none, those that it imports from its own files."""
    nodes = parse(files[0]).body if files else []
    assigned = [node for node in nodes if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"]
    if assigned:
        return [name for node in assigned for name in _literal(node.value)]
    imports = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.level]
    return [alias.name for node in imports for alias in node.names]
