"""Statistics of a pool of models: arrays in, frozen results out, named as in scipy.stats. numpy and scipy alone."""
