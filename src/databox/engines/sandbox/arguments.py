"""The command line of bubblewrap for one instance: everything an app can see is written here.

Bytes of the spec end up between NUL bytes, so a NUL in a name or a value would let a manifest add
an argument of its own choice: `encode` refuses it.
"""

import contextlib
import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from databox.wire.errors import BadRequest
from databox.wire.runspec import RunSpec

MEBIBYTE = 1024 * 1024
TMP_BYTES = 64 * MEBIBYTE
SHM_BYTES = 64 * MEBIBYTE
INNER_UID = 1000
"""The uid that every app sees as its own; the kernel's uid differs for each instance as root."""

SYSTEM_FILES = (
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
)
"""Of the host's /etc only what programs of /usr need, and nothing that names the host."""

PASSWD = f"app:x:{INNER_UID}:{INNER_UID}::/var:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"
GROUP = f"app:x:{INNER_UID}:\nnogroup:x:65534:\n"


@dataclass(frozen=True, slots=True)
class Channels:
    """Descriptors that bubblewrap inherits. `files`: (descriptor, path inside)."""

    status: int
    block: int
    seccomp: int
    files: tuple[tuple[int, str], ...]

    def all(self) -> tuple[int, ...]:
        """Every descriptor, for the one who starts bubblewrap to let through."""
        return (self.status, self.block, self.seccomp, *(number for number, _ in self.files))


def inner_files(spec: RunSpec) -> tuple[tuple[str, bytes], ...]:
    """Small read-only files made for this instance: (path inside, content).

    Raises:
        BadRequest: a secret's or a host's name is not a plain name.
    """
    files = [
        ("/etc/hosts", hosts(spec).encode()),
        ("/etc/passwd", PASSWD.encode()),
        ("/etc/group", GROUP.encode()),
    ]
    for name, content in spec.secrets.items():
        if not name or "/" in name or name in {".", ".."}:
            raise BadRequest("a secret needs a plain file name", field="secrets", found=repr(name))
        files.append((f"/run/secrets/{name}", content))
    return tuple(files)


def hosts(spec: RunSpec) -> str:
    """The names that resolve inside. A name that could hold a line of its own is refused."""
    lines = ["127.0.0.1 localhost", "::1 localhost"]
    for entry in spec.names:
        if not entry.name or not all(
            c.isascii() and (c.isalnum() or c in "-.") for c in entry.name
        ):
            raise BadRequest("this is not a host name", field="names", found=repr(entry.name))
        lines.append(f"{_loopback(entry.address)} {entry.name}")
    return "\n".join(lines) + "\n"


def _loopback(text: str) -> str:
    """One of 127.0.0.2 and up; 127.0.0.1 is the app's own."""
    with contextlib.suppress(ValueError):
        address = ipaddress.IPv4Address(text)
        if address.is_loopback and text != "127.0.0.1":
            return str(address)
    raise BadRequest("a name needs its own loopback address", field="names", found=repr(text))


def arguments(spec: RunSpec, channels: Channels) -> tuple[str, ...]:
    """All options for `bwrap --args`, in the order in which it carries them out."""
    return (
        *_namespaces(),
        *_environment(spec),
        *_system(),
        *_mounts(spec),
        *_files(channels),
        *_confinement(spec, channels),
    )


def _namespaces() -> Iterator[str]:
    # Each by name: "all" would silently leave out what this kernel lacks.
    for kind in ("user", "pid", "net", "ipc", "uts", "cgroup"):
        yield f"--unshare-{kind}"
    yield from ("--uid", str(INNER_UID), "--gid", str(INNER_UID), "--hostname", "app")


def _environment(spec: RunSpec) -> Iterator[str]:
    base = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/var", "LANG": "C.UTF-8"}
    yield "--clearenv"
    for name, value in {**base, **spec.environment}.items():
        yield from ("--setenv", name, value)


def _system() -> Iterator[str]:
    yield from ("--ro-bind", "/usr", "/usr")
    for link in ("lib", "lib32", "lib64", "bin", "sbin"):
        yield from ("--symlink", f"usr/{link}", f"/{link}")
    for path in SYSTEM_FILES:
        yield from ("--ro-bind-try", path, path)
    # Sizes on every tmpfs: one without is the host's memory. /dev itself is closed at the end.
    yield from ("--dev", "/dev")
    yield from ("--perms", "1777", "--size", str(SHM_BYTES), "--tmpfs", "/dev/shm")  # noqa: S108 - inside
    yield from ("--perms", "1777", "--size", str(TMP_BYTES), "--tmpfs", "/tmp")  # noqa: S108 - inside


def _mounts(spec: RunSpec) -> Iterator[str]:
    yield from ("--ro-bind", str(spec.code), "/app")
    yield from ("--bind", str(spec.var), "/var")
    yield from ("--dir", "/run/databox", "--dir", "/run/secrets")
    if spec.peers is not None:
        yield from ("--ro-bind", str(spec.peers), "/run/databox")
    for source, target in spec.shared:
        yield from ("--ro-bind", str(source), _target(target))
    if spec.proc:
        yield from ("--proc", "/proc")


def _files(channels: Channels) -> Iterator[str]:
    for descriptor, path in channels.files:
        yield from ("--ro-bind-data", str(descriptor), path)


def _confinement(spec: RunSpec, channels: Channels) -> Iterator[str]:
    # As root, capabilities survive even --unshare-all unless they are dropped by name.
    yield from ("--cap-drop", "ALL", "--disable-userns")
    yield from ("--new-session", "--die-with-parent", "--chdir", "/app")
    yield from ("--seccomp", str(channels.seccomp))
    yield from ("--json-status-fd", str(channels.status), "--block-fd", str(channels.block))
    if spec.proc:
        yield from ("--remount-ro", "/proc")
    # Last: the tmpfs behind / and /dev is writable and without bound until now.
    yield from ("--remount-ro", "/dev", "--remount-ro", "/")


def _target(path: str) -> str:
    pure = PurePosixPath(path)
    if pure.parts[:2] != ("/", "opt") or ".." in pure.parts or len(pure.parts) < 3:
        raise BadRequest("shared folders are mounted below /opt", field="shared", found=path)
    return path


def encode(parts: Iterable[str]) -> bytes:
    """The form that `bwrap --args` reads.

    Raises:
        BadRequest: a part holds a NUL and would become two arguments.
    """
    out = bytearray()
    for part in parts:
        if "\0" in part:
            raise BadRequest("a NUL character is not allowed", found=repr(part[:80]))
        out += part.encode(errors="surrogateescape") + b"\0"
    return bytes(out)
