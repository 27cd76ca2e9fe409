# Has Snakemake ask each result of this study what it was made from: its own notes in .snakemake may be lost, or be those
# of other results. What it asks of the results of an outer workflow stays as it is.

from snakemake.exceptions import WorkflowError
from snakemake.persistence import PersistenceBase
from snakemake.settings.types import RerunTrigger

from adaptive_sharpness.study.outdated import Results

RESULTS = Results(PLAN)


def ask_results(name, answer):
    """Let a method of Snakemake's notes answer from the results where they are this study's."""
    noted = getattr(PersistenceBase, name)
    setattr(
        PersistenceBase,
        name,
        lambda notes, job, *rest: (answer(job, *rest) if RESULTS.knows(job.output) else noted(notes, job, *rest)),
    )


def is_asked(job):
    """Whether Snakemake goes on to ask for changed params, as it does but for some --rerun-triggers."""
    if RerunTrigger.PARAMS not in workflow.rerun_triggers:
        raise WorkflowError("--rerun-triggers: got none of params, wanted it among them: it finds outdated results")
    return True


ask_results("has_metadata", is_asked)
ask_results("has_outdated_metadata", lambda job: False)
ask_results("params_changed", lambda job, *_: RESULTS.misfit(job.output[0]))
ask_results("code_changed", lambda job, *_: [])
ask_results("input_changed", lambda job, *_: [])
ask_results("input_checksums", lambda job, path: {f"sha256:{RESULTS.inputs(job.output[0]).get(path, '')}"})
