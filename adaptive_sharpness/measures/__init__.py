"""One measure a file: a function of the file's name, `name(model, loss, batches, *, rho, seed, ...) -> Measured`.

A measure that knows no ball takes no rho. It may ask by keyword for what else there is: `initial` (the weights before
training, by name), `train_split` (all training examples), `test_losses` (of every test example, [examples] float64).
"""

from adaptive_sharpness.measures._measured import Measured

__all__ = ["Measured"]
