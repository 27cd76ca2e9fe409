"""Balls of perturbations {delta : ||delta / c||_p <= rho} around the weights, c the scale of each weight."""

from adaptive_sharpness.objective import Parameters


def scale(parameters: Parameters, adaptive: bool) -> Parameters:
    """The scale c: |w| elementwise if adaptive (Kwon et al. 2021, eq. 3), else 1.

    Args:
        parameters: the weights w, by name.
        adaptive: whether the ball follows the size of each weight.

    Returns:
        c, by name, of the same shapes.
    """
    return {name: value.abs() if adaptive else value.new_ones(value.shape) for name, value in parameters.items()}


class LInf:
    """The l-infinity ball: |delta_i| <= rho c_i for every weight.

    Args:
        scale: c, by name.
        rho: the radius, at least 0, in units of c.
    """

    def __init__(self, scale: Parameters, rho: float):
        self._bound = {name: rho * value for name, value in scale.items()}

    def project(self, delta: Parameters) -> Parameters:
        """The nearest point of the ball, in the Euclidean norm: each coordinate clamped to its bounds.

        Args:
            delta: perturbations, by name, any leading dimensions.

        Returns:
            Perturbations in the ball.
        """
        return {name: value.clamp(-self._bound[name], self._bound[name]) for name, value in delta.items()}
