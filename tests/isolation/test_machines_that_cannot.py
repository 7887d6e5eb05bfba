"""A machine that lacks something is told so in words, with the remedy, and nothing is left."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from databox import engines
from databox.engines.sandbox.engine import SandboxEngine
from databox.wire.errors import Unavailable

HERE = Path(__file__).parent


def test_without_bubblewrap_a_start_names_the_package(stage: Any) -> None:
    spec = stage.spec("/bin/true")

    async def story(_: object) -> None:
        engine = await SandboxEngine.open("/nowhere/bwrap")
        try:
            await engine.start(spec)
        finally:
            await engine.close()

    with pytest.raises(Unavailable) as refusal:
        stage.tell(story)
    assert refusal.value.code == "bubblewrap-missing"
    assert "bubblewrap" in (refusal.value.remedy or "")


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a namespace with many uids")
def test_where_user_namespaces_are_forbidden_the_setting_is_named() -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(engines.__file__).parents[2])}
    command = (sys.executable, str(HERE / "forbidden.py"))
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    level, found, remedy = told["findings"]["user-namespaces"]
    assert level == "fail"
    assert "user.max_user_namespaces is 0" in found
    assert "sysctl -w user.max_user_namespaces=" in remedy
    assert told["start"] == ["sandbox-broken", remedy]
