"""Answers from a table of anyone's runs, without a study: `adaptive-sharpness tau`."""
