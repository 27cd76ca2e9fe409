# Sees to it that the code beside the Snakefile is the code that runs, here and in each job, whatever is installed. Reads
# config/config.yaml before Snakemake does, which would name neither the file nor the line of a mistake in it.

import os
import sys
from pathlib import Path

BESIDE = Path(str(workflow.current_basedir), "../../adaptive_sharpness").resolve()
if BESIDE.exists():  # not where a module comes from the web
    sys.path.insert(0, str(BESIDE.parent))

from adaptive_sharpness import plugins
from adaptive_sharpness.study.config.yaml_file import read_yaml
from adaptive_sharpness.study.running import arguments

try:
    if BESIDE.exists():
        arguments.import_first(BESIDE.parent)
        if plugins.PACKAGE != BESIDE:
            raise ValueError(f"adaptive_sharpness: got the package in {plugins.PACKAGE}, wanted that in {BESIDE}")
    if said := arguments.missing_profile(sys.argv):
        raise ValueError(said)
    if not workflow.modifier.skip_configfile:  # where this is a module of another workflow
        read_yaml("config/config.yaml")
except ValueError as error:
    sys.exit(str(error))
