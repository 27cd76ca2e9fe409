"""Settings of the stages that make tables and the report."""

from typing import Annotated

from pydantic import Field

from adaptive_sharpness.study.config.block import Block, Name, Positive, Text, wanted

Number = Annotated[float, Field(description="A number")]


class Published(Block):
    """A mapping with rho, tau, p_value and n"""

    rho: Positive = wanted("A number above 0")
    tau: float = wanted("A number between -1 and 1", gt=-1, lt=1)
    p_value: float = wanted("A number from 0 to 1", ge=0, le=1, default=None)
    n: int = wanted("A whole number of models, at least 5", ge=5)


class Rung(Block):
    """A mapping with switch, describes, protocol, measure and rho"""

    switch: Name = wanted("The name of what differs from the rung before")
    describes: Text = wanted("What the rung does", min_length=1)
    protocol: Text = wanted("A protocol of this config")
    measure: Text = wanted("A measure of this config")
    rho: Positive = wanted("A radius at which the measure is taken; none for a measure without a ball", default=None)


class Elsewhere(Block):
    """A mapping with sharpness_mean, test_loss_mean or tau"""

    sharpness_mean: float = wanted("A number", default=None)
    test_loss_mean: float = wanted("A number", default=None)
    tau: float = wanted("A number from -1 to 1", ge=-1, le=1, default=None)


class Replicates(Block):
    """A mapping with protocol, measure, size and elsewhere"""

    protocol: Text = wanted("A protocol of this config")
    measure: Text = wanted("A measure of this config")
    size: int = wanted("A whole number of models a replicate, at least 3", ge=3)
    elsewhere: dict[str, Elsewhere] = wanted("A mapping from pools to the numbers of a pool made elsewhere", default={})
