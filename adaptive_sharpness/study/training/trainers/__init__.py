"""One way to train a file: `train(network, split, loss, seed, *, optimiser, schedule, batch_size, stop, ...)`.

It trains the network in place, leaves it in eval mode, and returns the mean training loss of every epoch.
"""
