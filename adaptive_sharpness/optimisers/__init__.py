"""One optimiser a file, each with `build(parameters, **options)`, whose result has `step(closure)` and `zero_grad()`.

Every other optimiser is torch.optim's, by the name of its class.
"""
