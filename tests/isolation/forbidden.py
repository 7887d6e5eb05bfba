"""A machine that forbids user namespaces, made of one that allows them; tells what doctor says.

With a command for arguments, that is run there instead. Inside a user namespace of its own, with
all uids in it, a process may forbid further ones.
"""

import asyncio
import ctypes
import json
import os
import sys
from pathlib import Path

from databox.engines.sandbox import doctor
from databox.engines.sandbox.engine import BUBBLEWRAP, SandboxEngine
from databox.wire.errors import Unavailable
from databox.wire.runspec import RunSpec

CLONE_NEWUSER = 0x10000000


async def report() -> None:
    findings = await doctor.examine(BUBBLEWRAP, None)
    told = {finding.name: [finding.level, finding.found, finding.remedy] for finding in findings}
    print(json.dumps({"findings": told, "start": await start()}), flush=True)


async def start() -> list[str | None]:
    engine = await SandboxEngine.open()
    try:
        spec = RunSpec(
            name="none", command=("/bin/true",), code=Path("/tmp"), var=Path("/tmp"), uid=None
        )
        await engine.start(spec)
    except Unavailable as error:
        return [error.code, error.remedy]
    finally:
        await engine.close()
    return []


def main() -> None:
    here, there = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        if ctypes.CDLL(None).unshare(CLONE_NEWUSER) != 0:
            os._exit(1)
        os.write(here[1], b"x")
        os.read(there[0], 1)
        Path("/proc/sys/user/max_user_namespaces").write_text("0")
        if sys.argv[1:]:
            os.execv(sys.argv[1], sys.argv[1:])
        asyncio.run(report())
        os._exit(0)
    os.read(here[0], 1)
    for name in ("uid_map", "gid_map"):
        Path(f"/proc/{child}/{name}").write_text("0 0 100000")
    os.write(there[1], b"x")
    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


if __name__ == "__main__":
    main()
