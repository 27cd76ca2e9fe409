"""Statistics of a pool of models: arrays in, frozen results out, named as in scipy.stats. numpy and scipy alone."""

from adaptive_sharpness.stats.conditional_information import conditional_information
from adaptive_sharpness.stats.granulated import granulated
from adaptive_sharpness.stats.kendall import kendall
from adaptive_sharpness.stats.multiplicity import holm
from adaptive_sharpness.stats.partial import partial_kendall
from adaptive_sharpness.stats.permutation import max_t
from adaptive_sharpness.stats.power import equivalence, smallest_detectable
from adaptive_sharpness.stats.reliability import noise_ceiling, reliability
from adaptive_sharpness.stats.selection import selection
from adaptive_sharpness.stats.sign_error import sign_error
from adaptive_sharpness.stats.within_between import within_between

__all__ = [
    "conditional_information",
    "equivalence",
    "granulated",
    "holm",
    "kendall",
    "max_t",
    "noise_ceiling",
    "partial_kendall",
    "reliability",
    "selection",
    "sign_error",
    "smallest_detectable",
    "within_between",
]
