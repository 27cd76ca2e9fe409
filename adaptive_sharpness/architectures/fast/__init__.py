"""Layers of torch and torch_geometric in less time: the same numbers, in fewer operations."""
