"""What `networks` measures, on a GPU where there is one: python -m benchmarks.networks_on_device [--smoke].

Without a GPU it does the same on the CPU. Prints the device, then the rows as they come, then the table.
"""

import argparse

import torch

from benchmarks import networks
from benchmarks.machine import description
from benchmarks.pairs import table


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.networks_on_device", description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="cpu or cuda")
    parser.add_argument("--pairs", type=int, default=5, help="how often each two things are measured in turn (5)")
    parser.add_argument("--smoke", action="store_true", help="do next to nothing, once: see that all still runs")
    given = parser.parse_args()
    print(f"device: {device_name(given.device)}", flush=True)
    found = []
    for row in networks.all_rows(networks.Where(given.device, 1 if given.smoke else given.pairs, given.smoke)):
        found.append(row.values())
        print(f"{row.work}: {found[-1]['median']:.3g}", flush=True)  # a run that is cut off has told what it had
    print(table(found))


def device_name(device: str) -> str:
    """The card's name, or the processor's.

    Args:
        device: cpu or cuda.

    Returns:
        The name.
    """
    return torch.cuda.get_device_name() if device == "cuda" else description()["processor"]


if __name__ == "__main__":
    main()
