"""Leave in /var what the host might trip over: a set-uid program, a link, a pipe."""

import os
import shutil
import subprocess
from pathlib import Path

from attempt import attempt, note, report


def set_uid() -> None:
    shutil.copy("/usr/bin/id", "/var/id")
    Path("/var/id").chmod(0o6755)


attempt("set-uid", set_uid)
attempt("link", lambda: Path("/var/link").symlink_to("/etc/shadow"))
attempt("fifo", lambda: os.mkfifo("/var/pipe"))
ids = [subprocess.check_output(["/var/id", flag], text=True).strip() for flag in ("-u", "-ru")]
note("gain", "/".join(ids))
report()
