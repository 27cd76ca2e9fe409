# Reads config/config.yaml before Snakemake does, which would name neither the file nor the line of a mistake in it.

import sys

from adaptive_sharpness import configuration

try:
    if not workflow.modifier.skip_configfile:  # where this is a module of another workflow
        configuration.read("config/config.yaml")
except ValueError as error:
    sys.exit(str(error))
