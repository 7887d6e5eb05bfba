"""A box in small, for a test to kill: starts one instance, tells its pid, and waits."""

import asyncio
import os
import sys
from pathlib import Path

from databox.engines import Run
from databox.engines.sandbox.engine import SandboxEngine
from databox.engines.sandbox.namespaces import become_parent_namespace
from databox.wire.runspec import RunSpec


async def main(base: Path, uid: int | None, *, held: bool) -> None:
    engine = await SandboxEngine.open()
    spec = RunSpec(name="orphan", command=("/bin/sleep", "600"), code=base, var=base, uid=uid)

    async def prepare(run: Run) -> None:
        if held:
            await tell(run)

    await tell(await engine.start(spec, prepare))


async def tell(run: Run) -> None:
    outside = Path(f"/proc/{run.pid}/stat").read_text().rpartition(")")[2].split()[1]
    print(run.pid, outside, flush=True)
    await run.wait()


if __name__ == "__main__":
    root = os.geteuid() == 0
    if not root:
        become_parent_namespace()
    base, uid, moment = sys.argv[1:]
    asyncio.run(main(Path(base), int(uid) if root else None, held=moment == "held"))
