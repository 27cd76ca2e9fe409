"""One way to draw initial weights a file: a function of the file's name, `name(network, draw)`, draws them in place.

A rule depends on the seed alone, never on the shard or the machine.
"""
