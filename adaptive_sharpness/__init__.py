"""Adaptive sharpness of a trained network, and its correlation with test loss."""

__version__ = "0.1.0"
