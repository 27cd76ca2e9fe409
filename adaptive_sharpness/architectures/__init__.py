"""One architecture a file, each with `build(**options) -> nn.Module`; config knows it by the file's name."""
