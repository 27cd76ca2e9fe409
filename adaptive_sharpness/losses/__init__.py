"""One loss a file: a function of the file's name, `name(outputs, targets, reduction="mean") -> Tensor`.

Every other loss of (outputs, targets) is torch.nn.functional's, by its name.
"""
