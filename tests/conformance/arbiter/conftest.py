"""Other implementations of what the arbiter speaks, run by Node."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PEERS = Path(__file__).parent / "peers"
Ask = Callable[[str, Any], Any]


@pytest.fixture(scope="session")
def ask_node() -> Ask:
    """Give a question to one of the scripts in `peers` and return its answer."""
    node = shutil.which("node")
    if node is None or not (PEERS / "node_modules").is_dir():
        pytest.skip("needs Node, and `npm ci` in tests/conformance/arbiter/peers")

    def ask(script: str, question: Any) -> Any:
        done = subprocess.run(
            [node, script],
            input=json.dumps(question),
            capture_output=True,
            text=True,
            cwd=PEERS,
            timeout=60,
            check=True,
        )
        return json.loads(done.stdout)

    return ask
