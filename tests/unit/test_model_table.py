"""A table of models that were trained elsewhere: what it says, and what is said of one that is wrong."""

import hashlib
import re
from copy import deepcopy
from pathlib import Path

import pytest

from adaptive_sharpness.study.config.model_table import model_rows, ranges
from adaptive_sharpness.study.config.reading import merged, read_settings
from adaptive_sharpness.study.plan import Plan

ROOT = Path(__file__).parents[2]
HASH = "ab" * 32
HEAD = "id,path,sha256"
MATRIX = f"{HEAD},row\na,all.npy,{HASH},"


@pytest.fixture(autouse=True)
def _pools(tmp_path, monkeypatch):
    """A folder with files that tables can name."""
    (tmp_path / "pools/inner").mkdir(parents=True)
    for name in ("a.pt", "b.safetensors", "all.npy", "all.layout.csv", "lone.npy", "a.h5", "inner/c.pth", "../out.pt"):
        (tmp_path / "pools" / name).touch()
    (tmp_path / "pools/link.pt").symlink_to(tmp_path / "out.pt")
    (tmp_path / "config").symlink_to(ROOT / "config")
    monkeypatch.chdir(tmp_path)


def written(text: str | bytes) -> tuple[str, str]:
    """A table's path and its hash."""
    content = text if isinstance(text, bytes) else text.encode()
    Path("pools/theirs.csv").write_bytes(content)
    return "pools/theirs.csv", hashlib.sha256(content).hexdigest()


def rows(text: str | bytes):
    return model_rows(*written(text))


def test_a_table_says_which_models_there_are():
    head = f"{HEAD},row,layout_sha256,seed,train_loss,accuracy,lr,options.widths,options.activation"
    first, second = rows(
        f"\ufeff{head}\r\n"
        f'007,b.safetensors,{HASH.upper()},3,,5,0.5,1e-3,0.10,"[10, 4, 1]",ReLU\r\n\r\n'
        f"é b,all.npy,{HASH},0,{HASH},2,,,,,\r\n"
    )
    assert (first.id, first.file, first.sha256, first.row, first.seed) == ("007", "pools/b.safetensors", HASH, 3, 5)
    assert first.losses == {"train_loss": 0.5, "accuracy": 0.001}
    assert first.options == {"widths": [10, 4, 1], "activation": "ReLU"}
    assert first.columns == {"lr": "0.10", "options.widths": "[10, 4, 1]", "options.activation": "ReLU"}
    assert (second.id, second.layout_sha256, second.losses, second.options) == ("é b", HASH, {}, {})
    assert (first.files, second.files) == (["pools/b.safetensors"], ["pools/all.npy", "pools/all.layout.csv"])


def test_models_are_numbered_where_the_table_says_no_seeds():
    found = rows(f"{HEAD}\nz,a.pt,{HASH}\na,inner/c.pth,{HASH}\n")
    assert [(row.seed, row.id, row.file) for row in found] == [(0, "z", "pools/a.pt"), (1, "a", "pools/inner/c.pth")]


@pytest.mark.parametrize(("text", "value"), [("1e999", "1e999"), ("NaN", "NaN"), ("true", True), ("010", "010")])
def test_an_option_is_a_value_where_it_spells_one(text, value):
    assert rows(f"{HEAD},options.mine\na,a.pt,{HASH},{text}\n")[0].options == {"mine": value}


ROW, SAFE = f"a,a.pt,{HASH}", f"b,b.safetensors,{HASH}"
BAD = {
    "no table": (None, "theirs.csv: got No such file or directory, wanted a table of models"),
    "empty file": ("", "theirs.csv: got columns '', wanted one named id"),
    "no rows": (f"{HEAD}\n", "theirs.csv: got 0 rows, wanted from 1 to 4096"),
    "too many rows": (
        HEAD + ",row\n" + "".join(f"{i},b.safetensors,{HASH},{i}\n" for i in range(4097)),
        "got 4097 rows, wanted from 1 to 4096",
    ),
    "no column id": (f"path,sha256\na.pt,{HASH}\n", "got columns 'path,sha256', wanted one named id"),
    "no column path": ("id,sha256\na\n", "wanted one named path"),
    "no column sha256": ("id,path\na,a.pt\n", "wanted one named sha256"),
    "a column twice": (f"{HEAD},id\n{ROW},a\n", "got column id a second time, wanted every column once"),
    "a column of runs": (f"{HEAD},measure\n{ROW},1\n", "got column 'measure', wanted a name of lower-case"),
    "a column without a name": (f"{HEAD},\n{ROW},1\n", "got column '', wanted a name of lower-case"),
    "no text": (b"\xff\xfe\x00", "got no text (byte 0), wanted csv in UTF-8"),
    "no csv": (f'{HEAD}\n{ROW}\n"a"b,"\n', "line 3: got no csv, "),
    "a cell too few": (f"{HEAD}\na,a.pt\n", "line 2: got 2 cells, wanted 3"),
    "a cell too many": (f"{HEAD}\n{ROW},1\n", "line 2: got 4 cells, wanted 3"),
    "an id twice": (
        f"{HEAD}\n{ROW}\na,inner/c.pth,{HASH}\n",
        "line 3: got id 'a', that of line 2, wanted every id once",
    ),
    "a seed twice": (f"{HEAD},seed\n{ROW},1\n{SAFE},1\n", "line 3: got seed 1, that of line 2, wanted every seed once"),
    "a model twice": (f"{HEAD}\n{ROW}\nb,a.pt,{HASH}\n", "got model 'pools/a.pt', that of line 2, wanted every model"),
    "an id without letters": (f"{HEAD}\n,a.pt,{HASH}\n", "line 2: id: is missing, wanted it of every model"),
    "an id with a bell": (f"{HEAD}\n\a,a.pt,{HASH}\n", r"line 2: id: got '\x07', wanted a name that can be printed"),
    "a seed that lacks": (f"{HEAD},seed\n{ROW},1\n{SAFE},\n", "line 3: seed: is missing, wanted it of every model"),
    "a seed below 0": (f"{HEAD},seed\n{ROW},-1\n", "seed: got '-1', wanted a whole number from 0 to 2^63 - 1"),
    "a hash too short": (f"{HEAD}\na,a.pt,abc\n", "sha256: got 'abc', wanted a sha256, 64 hexadecimal digits"),
    "a layout's hash": (f"{HEAD},layout_sha256\n{ROW},0\n", "layout_sha256: got '0', wanted a sha256"),
    "a layout of none": (f"{HEAD},layout_sha256\n{ROW},{HASH}\n", "wanted none: pools/a.pt is no matrix"),
    "a loss that is none": (f"{HEAD},test_loss\n{ROW},low\n", "test_loss: got 'low', wanted a number"),
    "a loss reached perhaps": (f"{HEAD},reached\n{ROW},yes\n", "reached: got 'yes', wanted True or False, or nothing"),
    "an unreached one kept": (f"{HEAD},keep_unreached\n{ROW},1\n", "keep_unreached: got '1', wanted True or False"),
    "a row that is none": (f"{MATRIX}first\n", "row: got 'first', wanted a whole number, at least 0"),
    "a matrix without a row": (f"{MATRIX}\n", "row: is missing, wanted the model's row of the matrix pools/all.npy"),
    "a row of one model": (f"{HEAD},row\n{ROW},1\n", "row: got 1, wanted none: pools/a.pt holds one model"),
    "no file": (f"{HEAD}\na,c.pt,{HASH}\n", "line 2: path: got no file pools/c.pt, wanted one"),
    "no layout": (MATRIX.replace("all", "lone") + "0\n", "path: got no file pools/lone.layout.csv, wanted one"),
    "another format": (f"{HEAD}\na,a.h5,{HASH}\n", "got 'a.h5', wanted a file that ends in one of .safetensors, .pt"),
    "a path that climbs": (
        f"{HEAD}\na,../out.pt,{HASH}\n",
        "path: got '../out.pt', wanted one below pools, without ..",
    ),
    "an absolute path": (f"{HEAD}\na,/tmp/a.pt,{HASH}\n", "path: got '/tmp/a.pt', wanted one below pools"),
    "a link that leads out": (f"{HEAD}\na,link.pt,{HASH}\n", "path: got 'link.pt', wanted one below pools"),
}


@pytest.mark.fault(
    fault="a table of models from elsewhere that is wrong", sees="`config: KEY: TABLE, line N: got ..., wanted ...`"
)
@pytest.mark.parametrize(("text", "said"), BAD.values(), ids=BAD)
def test_a_wrong_table_gives_a_line(text, said):
    with pytest.raises(ValueError, match=r"^pools/theirs.csv") as caught:
        rows(text) if text is not None else model_rows("pools/theirs.csv", HASH)
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_table_with_another_hash_is_refused():
    table, found = written(f"{HEAD}\n{ROW}\n")
    with pytest.raises(ValueError, match=f"^pools/theirs.csv: got sha256 {found}, wanted {HASH}$"):
        model_rows(table, HASH)


# In a config


POOL, IMPORTED = "protocols.elsewhere.fcnn", {"dataset": "abalone", "options": {"widths": [10, 1]}, "loss": "mse_loss"}
SHAPES = (
    f'{HEAD},options.widths\na,a.pt,{HASH},"[10, 1]"\nb,b.safetensors,{HASH},"[10, 1]"\n'
    f'c,inner/c.pth,{HASH},"[10, 4, 1]"\n'
)


@pytest.fixture
def study(config):
    """study(text, changes): the settings of the shipped study with a pool from elsewhere."""

    def read(text: str = SHAPES, pool: dict | None = None, **changes):
        table, sha256 = written(text)
        block = {**IMPORTED, "checkpoints": {"table": table, "sha256": sha256}, **(pool or {})}
        own = {"only": "elsewhere/fcnn", "protocols": {"elsewhere": {"fcnn": block}}, "seeds_per_job": {"fcnn": 2}}
        small = {"measures": {name: {"protocols": []} for name in ("report_pga", "average_case", "hessian")}}
        small["measures"]["worst_case"] = {"on": {"fcnn": {"rho": [0.1]}}}
        return read_settings(merged(deepcopy(config), merged(merged(own, small), changes)))

    return read


def plan(settings) -> Plan:
    return Plan(settings, lambda rule: ROOT / f"workflow/scripts/{rule}.py")


TRAINING = {"optimiser": {"name": "SGD", "lr": 0.1}, "stop": {"max_epochs": 1}}
PATH = {"table": "../theirs.csv", "sha256": HASH}
GIVEN = [
    ({"pool": {"training": TRAINING}}, f"{POOL}.training: got both it and checkpoints, wanted one"),
    ({"pool": {"initialisation": "glorot"}}, f"{POOL}.initialisation: got both it and checkpoints, wanted one"),
    ({"pool": {"vary": {"options.widths": [[10, 1]]}}}, f"{POOL}.vary: got both it and checkpoints, wanted one: these"),
    ({"pool": {"seeds": 5}}, f"{POOL}.seeds: got 5, wanted 3, the models of pools/theirs.csv, or nothing"),
    ({"pool": {"stacked": 2}}, f"{POOL}.stacked: got 2, wanted none: these models are trained already"),
    ({"pool": {"checkpoints": PATH}}, f"{POOL}.checkpoints.table: got '../theirs.csv', wanted one below "),
    (
        {"pool": {"checkpoints": {**PATH, "table": "/a.csv"}}},
        f"{POOL}.checkpoints.table: got '/a.csv', wanted one below",
    ),
    (
        {"pool": {"checkpoints": {**PATH, "table": "a.csv"}}},
        f"{POOL}.checkpoints: a.csv: got No such file or directory",
    ),
    (
        {"pool": {"checkpoints": {"table": "a.csv"}}},
        f"{POOL}.checkpoints.sha256: is missing, wanted the table's sha256",
    ),
    ({"pool": {"options": {"width": 3}}}, f"{POOL}.options.width: got 'width', wanted one of widths"),
    (
        {"text": f"{HEAD},options.depth\n{ROW},3\n"},
        f"{POOL}.checkpoints: pools/theirs.csv, line 2: options.depth: got 'depth', wanted one of widths",
    ),
    (
        {"text": f'{HEAD},options.widths\n{ROW},"[NaN]"\n'},
        f"{POOL}.checkpoints: pools/theirs.csv, line 2: options: got {{'widths': [nan]}}, wanted texts, finite numbers",
    ),
    (
        {"measures": {"worst_case": {"rate": "training"}}},
        f"measures.worst_case.on.fcnn.rate: got training, wanted a number: {POOL} was trained elsewhere",
    ),
    (
        {"measures": {"moved": {"batches": 2, "on": {"fcnn": {}}}}},
        f"measures.moved: got moved, which asks for initial, wanted another on fcnn: {POOL} has no weights of before",
    ),
]


@pytest.mark.fault(fault="a pool from elsewhere that contradicts itself", sees="`config: KEY: got ..., wanted ...`")
@pytest.mark.parametrize(("changes", "said"), GIVEN)
def test_a_config_that_contradicts_its_table_gives_a_line(study, changes, said):
    Path("plugins/measures").mkdir(parents=True)
    Path("plugins/measures/moved.py").write_text("def moved(model, loss, batches, *, seed, initial): ...\n")
    with pytest.raises(ValueError, match=f"^config: {re.escape(said)}"):
        study(**changes)


@pytest.mark.parametrize("key", ["training", "initialisation"])
def test_a_pool_with_neither_gives_a_line(config, key):
    changed = deepcopy(config)
    del changed["protocols"]["report"]["fcnn"][key]
    wanted = "is missing, wanted .*; or checkpoints, a mapping with table and sha256$"
    with pytest.raises(ValueError, match=f"^config: protocols.report.fcnn.{key}: {wanted}"):
        read_settings(changed)


def test_the_table_of_a_pool_that_is_left_out_is_not_looked_at(study):
    assert study(pool={"checkpoints": {**PATH, "table": "a.csv"}}, only="report/fcnn", measures={"report_pga": {}})


def test_a_shard_has_models_of_one_shape(study):
    jobs = plan(study())
    assert [shard["seeds"] for shard in jobs.shards] == ["000-001", "002-002"]
    assert [jobs.pool(**shard)["options"] for shard in jobs.shards] == [{"widths": [10, 1]}, {"widths": [10, 4, 1]}]
    first, second = (job for job in jobs.jobs() if job.rule == "import_models")
    assert first.inputs == ("results/datasets/abalone.safetensors", "pools/a.pt", "pools/b.safetensors")
    assert [path.split(".", 1)[1] for path in second.outputs] == ["safetensors", "csv", "test_losses.safetensors"]
    assert [job.settings["pool"]["options"] for job in jobs.jobs() if job.rule == "measure"] == [
        {"widths": [10, 1]},
        {"widths": [10, 4, 1]},
    ]


def test_the_number_of_models_is_the_tables(study):
    assert study(pool={"seeds": 3}).seeds_of("elsewhere", "fcnn") == 3
    assert study(seeds=50).seeds_of("elsewhere", "fcnn") == 3


def recipes(settings) -> dict[str, str]:
    """What the outputs of import and measuring are made from, before what the files hold."""
    jobs = [job for job in plan(settings).jobs() if job.rule in ("import_models", "measure")]
    return {job.outputs[0]: (job.settings, job.code, job.before, job.inputs) for job in jobs}


@pytest.mark.parametrize(
    ("old", "new", "remade"),
    [
        (f"c,inner/c.pth,{HASH}", f"c,inner/c.pth,{'cd' * 32}", ["002-002", "002-002"]),
        ("\na,", "\nother,", ["000-001", "000-001"]),
        ("c.pth," + HASH + ',"[10, 4, 1]"\n', "c.pth," + HASH + ',"[10, 4, 1]"\n\n', []),
    ],
)
def test_a_row_that_changes_remakes_its_shard_alone(study, old, new, remade):
    assert old in SHAPES
    before, after = recipes(study()), recipes(study(SHAPES.replace(old, new)))
    assert before.keys() == after.keys()
    assert [re.search(r"seeds-(\d+-\d+)", path)[1] for path in after if before[path] != after[path]] == remade


def test_a_model_more_at_the_end_remakes_no_full_shard(study):
    Path("pools/d.pt").touch()
    before, after = recipes(study()), recipes(study(SHAPES + f'd,d.pt,{HASH},"[10, 1]"\n'))
    assert before.items() <= after.items()
    assert len(after) == len(before) + 2


def test_neighbours_of_one_shape_are_in_one_job():
    found = rows(
        f"{HEAD},options.widths\n"
        + "".join(
            f"{i},{p},{HASH},{w}\n"
            for i, p, w in (("a", "a.pt", 1), ("b", "b.safetensors", 2), ("c", "inner/c.pth", 2))
        )
    )
    assert list(ranges(found, 5)) == [(0, 0), (1, 2)]
    assert list(ranges(found, 1)) == [(0, 0), (1, 1), (2, 2)]
