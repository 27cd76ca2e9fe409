# Does the sharpness of a minimum say anything about how well a network generalises?
# A study is config/config.yaml; the stages below stand in the order in which data passes through them.


include: "workflow/rules/check.smk"


configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/sharpness.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/figures.smk"


rule data:
    input:
        expand("<results>/datasets/{dataset}.safetensors", dataset=DATASETS),


rule checkpoints:
    input:
        [path.format(**pool) for pool in TRAINED for path in rules.train.output],


rule sharpness:
    input:
        rules.runs_table.input.sharpness,


rule tables:
    input:
        rules.page.input,
        rules.page.output,
        rules.metrics.output,
        rules.pools_table.output if "pools" in config else [],


rule all:
    default_target: True
    input:
        rules.tables.input,
