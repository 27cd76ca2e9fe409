"""Images that change at random from epoch to epoch."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from adaptive_sharpness.datasets import Rows, Split
from adaptive_sharpness.landscape.randomness import default_generator


def augmented(split: Split, seed: int, epoch: int, changes: Sequence[Callable[[Tensor], Tensor]]) -> Rows:
    """Return the images as an epoch sees them: each is changed by itself, before it is shifted and scaled.

    What is drawn follows from (seed, "augmentation", epoch) and from the image's place in the data set. Images change
    on the CPU, so that they are the same wherever the model is trained.

    Args:
        split: images, [n, channels, height, width].
        seed: the model's seed.
        epoch: counted from 0.
        changes: applied one after the other, each of an image, [channels, height, width]; they draw from torch's
            default generator.

    Returns:
        Images of the same shape, with the same targets.

    Raises:
        ValueError: if the examples are no images, do not keep their shape and type, or torchvision cannot change them.

    Example:
        >>> rows = Rows(torch.zeros(2, 1, 3, 3), torch.zeros(2), shift=torch.tensor(0.0), scale=torch.tensor(1.0))
        >>> augmented(rows, seed=0, epoch=0, changes=[lambda image: image + 1]).inputs.mean().item()
        1.0
    """
    if not isinstance(split, Rows) or split.inputs.dim() != 4:
        got = f"examples of {list(split.inputs.shape[1:])}" if isinstance(split, Rows) else "a graph"
        raise ValueError(f"augmentation: got {got}, wanted images, [channels, height, width]")
    with default_generator(seed, "augmentation", epoch):
        images = [_changed(image, changes) for image in split.inputs.cpu()]
    return replace(split, inputs=torch.stack(images).to(split.inputs.device))


def _changed(image: Tensor, changes: Sequence[Callable[[Tensor], Tensor]]) -> Tensor:
    found = image
    for change in changes:
        try:
            found = change(found)
        except (TypeError, ValueError, RuntimeError) as error:
            if not type(change).__module__.startswith("torchvision"):
                raise  # the user's own, whose place an error inside it names
            name, reason = type(change).__name__, str(error).strip().splitlines()[0]
            got = f"images {list(found.shape)} of {found.dtype}"
            raise ValueError(f"augmentation {name}: cannot be applied to {got}: {reason}") from error
    if found.shape != image.shape or found.dtype != image.dtype:
        got, wanted = (f"{list(each.shape)} of {each.dtype}" for each in (found, image))
        raise ValueError(f"augmentation: got images {got}, wanted {wanted}, as they were")
    return found
