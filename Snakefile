# Does the sharpness of a minimum say anything about how well a network generalises?
# A study is config/config.yaml; the stages below stand in the order in which data passes through them.


include: "workflow/rules/check.smk"


configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/records.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/import.smk"
include: "workflow/rules/measure.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/report.smk"


rule data:
    input:
        expand("<results>/datasets/{dataset}.safetensors", dataset=PLAN.datasets),


rule checkpoints:
    input:
        [
            path.format(**shard)
            for shard in PLAN.shards
            for path in (rules.import_models if PLAN.imported.has(**shard) else rules.train).output
        ],


rule sharpness:
    input:
        rules.runs_table.input.sharpness,


rule tables:
    input:
        rules.report.input,
        rules.report.output,
        rules.metrics.output,
        rules.replicates_table.output if STUDY.replicates else [],


rule all:
    default_target: True
    input:
        rules.tables.input,
