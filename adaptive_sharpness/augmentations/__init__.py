"""One change of images a file, each with `build(**options)`, whose result takes an image, [channels, height, width].

It draws from torch's default generator. Every other change is torchvision.transforms.v2's, by the name of its class.
"""
