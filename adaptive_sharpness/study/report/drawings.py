"""All figures of a study, each by its plug-in."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from adaptive_sharpness import plugins
from adaptive_sharpness.study.report.style import save_figure
from adaptive_sharpness.study.report.tables import Tables

FIRST = ("test_loss_vs_sharpness", "tau_vs_rho", "ladder", "trust", "share_of_best")  # the package's own, in order


@dataclass(frozen=True)
class Drawing:
    """A figure of a plug-in, and what is said of it.

    Args:
        name: the plug-in's.
        title: the first line of its docstring.
        caption: the rest of it.
        folder: what the figure belongs to, such as "report/worst_case".
        figure: Matplotlib's.
    """

    name: str
    title: str
    caption: str
    folder: str
    figure: Figure

    @property
    def file(self) -> str:
        """Where the figure lies below results/figures, without its ending.

        Example:
            >>> Drawing("tau_vs_rho", "", "", "report/worst_case", Figure()).file
            'report/worst_case/tau_vs_rho'
        """
        return f"{self.folder}/{self.name}".lstrip("/")

    @property
    def protocol(self) -> str:
        """The first part of the folder, empty for a figure of the whole study.

        Example:
            >>> Drawing("tau_vs_rho", "", "", "report/worst_case", Figure()).protocol
            'report'
        """
        return self.folder.split("/")[0]

    @property
    def measure(self) -> str:
        """The second part of the folder, empty where there is none.

        Example:
            >>> Drawing("tau_vs_rho", "", "", "report/worst_case", Figure()).measure
            'worst_case'
        """
        return self.folder.partition("/")[2]


def draw_figures(tables: Tables, folder: str | Path = "plugins") -> list[Drawing]:
    """Return every figure of every plug-in, the package's own first.

    Args:
        tables: of the study.
        folder: the user's plug-ins; each file of its figures is one more.

    Returns:
        Drawings.

    Raises:
        ValueError: if a plug-in returns no figures by their folder; one line.

    Example:
        >>> import pandas as pd
        >>> keys = {"protocol": "report", "pool": "gat", "measure": "hessian", "rho": 0.1, "quantity": "trace"}
        >>> runs = pd.DataFrame([keys]).assign(headline=True, value=1.0, test_loss=2.0, train_loss=0.5)
        >>> tau = runs.assign(n=50, tau=0.5, tau_low=0.3, tau_high=0.7, p_value=0.01, published_tau=None)
        >>> estimates = pd.DataFrame([keys]).assign(compared_with=None)  # no other measure of this ball
        >>> [drawing.file for drawing in draw_figures(Tables(runs, tau, estimates))]
        ['report/hessian/test_loss_vs_sharpness', 'report/hessian/tau_vs_rho', 'report/trust']
    """
    names = [*FIRST, *(name for name in plugins.names("figures", folder) if name not in FIRST)]
    return [drawing for name in names for drawing in _drawings(name, tables, folder)]


def save_drawings(drawings: list[Drawing], folder: Path) -> None:
    """Write every figure as SVG and as PDF below a folder.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     save_drawings([Drawing("tau_vs_rho", "", "", "report", Figure())], Path(folder))
        ...     sorted(path.name for path in Path(folder, "report").iterdir())
        ['tau_vs_rho.pdf', 'tau_vs_rho.svg']
    """
    folder.mkdir(parents=True, exist_ok=True)
    for drawing in drawings:
        save_figure(drawing.figure, folder / drawing.file)


def _drawings(name: str, tables: Tables, folder: str | Path) -> list[Drawing]:
    found = plugins.resolve("figures", name, folder)(tables)
    if not isinstance(found, Mapping) or not all(isinstance(each, Figure) for each in found.values()):
        got = type(found).__name__ if not isinstance(found, Mapping) else "a mapping to something else"
        raise ValueError(f"figure {name}: got {got} from draw(), wanted a mapping from folders to Matplotlib's figures")
    for place in found:
        if not isinstance(place, str) or Path(place).is_absolute() or ".." in Path(place).parts:
            raise ValueError(f"figure {name}: got {place!r} for a folder, wanted one such as report/worst_case")
    said = plugins.docstring(plugins.file("figures", name, folder)) or name
    title, _, caption = said.partition("\n")
    caption = " ".join(caption.split())
    return [Drawing(name, title.strip().rstrip("."), caption, place, figure) for place, figure in found.items()]
