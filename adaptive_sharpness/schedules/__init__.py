"""One schedule a file, each with `build(optimiser, **options)`, whose result has `step()`, called after each epoch.

Every other schedule is torch.optim.lr_scheduler's, by the name of its class.
"""
