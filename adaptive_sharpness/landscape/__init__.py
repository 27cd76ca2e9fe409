"""The loss as a function of a network's weights, and balls of perturbations around these."""
