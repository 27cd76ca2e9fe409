# Reads config/config.yaml before Snakemake does, which would name neither the file nor the line of a mistake in it.

import sys

from adaptive_sharpness.study.config.yaml_file import read_yaml

try:
    if not workflow.modifier.skip_configfile:  # where this is a module of another workflow
        read_yaml("config/config.yaml")
except ValueError as error:
    sys.exit(str(error))
