"""Blocks are packed and unpacked behind a part's walls, where the libraries are loaded late."""

import json
import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import pytest

from databox.box import confine
from databox.box.birth import DATA, Birth
from databox.box.zygote import folders_of
from databox.store.engine.points import pack_columns
from databox.store.file import NewColumns, NewReading, StoreFile

UID = 65_533
COUNT = 50_000
IN_PLACE = "import json; from tests.isolation.test_blocks_behind_walls import Birth, confined"


def behind_walls(folder: Path) -> dict[str, object]:
    """Live as a store does, from a folder that is all there is to write to."""
    loaded = sorted({"numpy", "zstandard"} & set(sys.modules))
    file = StoreFile(Path(DATA) / "store.db", bytes(32))
    packed = pack_columns(range(COUNT), [n / 4 for n in range(COUNT)])
    assert packed is not None
    file.commit({}, [NewColumns("load", "", *packed)], 0)
    for group in range(40):
        writes = [NewReading("heat", 500 * group + n, b'{"a":1}') for n in range(500)]
        file.commit({}, writes, 0)
        file.maintain()
    reader = file.reader()
    return {
        "loaded before": loaded,
        "load": reader.count("load", 5, COUNT - 6),
        "heat": sum(len(run) for run in reader.runs("heat", 0, 10**9)),
        "windows": [each.n for each in reader.windows("load", 0, COUNT, 10_000, percentiles=(50,))],
    }


def confined(birth: Birth) -> None:
    """Print what comes of it, from a process that is lost."""
    try:
        runtime = folders_of(sys.path, Path(birth.directory))
        confine.enter_namespaces(birth)
        if (pid := os.fork()) == 0:
            told: object
            try:
                # Nobody hands this one over; everything else is as in a part.
                steps = [each for each in confine.STEPS if "die" not in each.__name__]
                for step in steps:
                    step(birth, runtime)
                told = behind_walls(Path(DATA))
            except BaseException:  # noqa: BLE001 - told to the test
                told = traceback.format_exc()
            os.write(1, json.dumps(told).encode())
            os._exit(0)
        os.waitpid(pid, 0)
    finally:
        os._exit(0)


@pytest.mark.root
def test_a_confined_store_packs_and_unpacks_blocks() -> None:
    with tempfile.TemporaryDirectory(prefix="databox-walls-") as name:
        directory, scratch = Path(name, "data"), Path(name, "scratch")
        for each in (Path(name), directory, scratch):
            each.mkdir(exist_ok=True)
            each.chmod(0o755)
        os.chown(directory, UID, UID)
        birth = {"part": "a-store", "module": "x", "config": {}, "uid": UID}
        told_by = json.dumps(birth | {"directory": str(directory), "scratch": str(scratch)})
        # An interpreter of its own, as the zygote's: what other tests have loaded is not in it.
        ended = subprocess.run(
            [sys.executable, "-c", f"{IN_PLACE}; confined(Birth(**json.loads({told_by!r})))"],
            env={"PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=True,
            timeout=120,
        )
        told = json.loads(ended.stdout)
    assert told == {
        "loaded before": [],
        "load": COUNT - 10,
        "heat": 20_000,
        "windows": [10_000] * 5,
    }, told
