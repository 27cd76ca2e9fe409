"""Settings of how one model is trained: optimiser, schedule, stop rule, and what is done to gradients and examples."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from adaptive_sharpness.study.config.block import Block, Count, OpenBlock, Positive, Text, wanted

FRACTION = "A share, at least 0 and below 1"
RULE_KEYS = {  # what each rule needs, and what it may be told besides
    "relative_change": (("max_epochs",), ("tolerance", "min_epochs")),
    "loss_below": (("loss", "max_epochs"), ("keep_unreached",)),
    "max_epochs": (("max_epochs",), ()),
    "max_steps": (("max_steps",), ()),
}


class Stop(Block):
    """A mapping with rule and what the rule needs, such as max_epochs"""

    rule: Literal["relative_change", "loss_below", "max_epochs", "max_steps"] = wanted(
        "A rule that ends training", default="relative_change"
    )
    tolerance: float = wanted(
        "A relative change of the epoch's training loss, at least 0; below it training stops", ge=0, default=0.05
    )
    loss: Positive = wanted("A mean training loss above 0; below it training stops", default=None)
    min_epochs: Count = wanted("A whole number of epochs, at least 1", default=1)
    max_epochs: Count = wanted("A whole number of epochs, at least 1", default=None)
    max_steps: Count = wanted("A whole number of steps, at least 1", default=None)
    keep_unreached: bool = wanted(
        "True or false, whether models count in a tau whose loss did not fall that far", default=False
    )


class Optimiser(OpenBlock):
    """A mapping with name and the optimiser's own options, such as {name: SGD, lr: 0.01}"""

    name: Text = wanted("A class of torch.optim, or a file of plugins/optimisers")


class Schedule(OpenBlock):
    """A mapping with name and the schedule's own options, such as {name: StepLR, step_size: 5}"""

    name: Text = wanted("A class of torch.optim.lr_scheduler, or a file of plugins/schedules")
    per: Literal["epoch", "step"] = wanted("After what the schedule takes its step", default="epoch")


class Sam(Block):
    """A mapping with rho, and scale where it is not none, such as {rho: 0.05}"""

    rho: Positive = wanted("A radius above 0, in units of the scale")
    scale: Literal["adaptive", "none", "filter", "neuron", "keskar", "asam"] = wanted(
        "What the radius is in units of", default="none"
    )
    eta: float = wanted("A number to add to the scale, at least 0", ge=0, default=0.0)


class Clip(Block):
    """A mapping with norm or with value, such as {norm: 1}"""

    norm: Positive = wanted("A number above 0, the most that the gradient's 2-norm may be", default=None)
    value: Positive = wanted("A number above 0, the most that an entry of the gradient may be", default=None)


class Augmentation(OpenBlock):
    """A name, or a mapping with name and options, such as {name: RandomCrop, size: 28, padding: 4}"""

    name: Text = wanted("A class of torchvision.transforms.v2, or a file of plugins/augmentations")


class Trainer(OpenBlock):
    """A mapping with name and the trainer's own options"""

    name: Text = wanted("A trainer of the package, or a file of plugins/trainers", default="minibatches")


def _with_name(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class Training(Block):
    """A mapping with optimiser, batch_size and stop"""

    optimiser: Optimiser = wanted("A mapping with name and the optimiser's own options, such as {name: SGD, lr: 0.01}")
    schedule: Schedule = wanted(
        "A mapping with name and the schedule's own options, such as {name: StepLR, step_size: 5}", default=None
    )
    batch_size: Count = wanted("A whole number of examples, at least 1", default=64)
    stop: Stop = wanted("A mapping with rule and what the rule needs, such as max_epochs")
    sam: Sam = wanted("A mapping with rho, and scale where it is not none, such as {rho: 0.05}", default=None)
    clip: Clip = wanted("A mapping with norm or with value, such as {norm: 1}", default=None)
    label_noise: float = wanted(FRACTION, ge=0, lt=1, default=0.0)
    augmentation: list[
        Annotated[
            Augmentation,
            BeforeValidator(_with_name, json_schema_input_type=Text | Augmentation),
            Field(description="A name, or a mapping with name and options"),
        ]
    ] = wanted("A list of random changes of images, such as [RandomHorizontalFlip]", default=[])
    examples: Count = wanted("A whole number of training examples, at least 1", default=None)
    trainer: Trainer = wanted("A mapping with name and the trainer's own options", default=Trainer())
