"""What the command line of bubblewrap says, and what a hostile spec cannot make it say."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.engines.sandbox import arguments
from databox.engines.sandbox.arguments import Channels, encode, hosts, inner_files
from databox.wire.errors import BadRequest
from databox.wire.runspec import HostName, RunSpec

SPEC = RunSpec(
    name="weather",
    command=("python3", "main.py"),
    code=Path("/srv/code"),
    var=Path("/srv/var"),
    peers=Path("/srv/peers"),
    environment={"TOKEN": "canary-value"},
    secrets={"KEY": b"canary-secret"},
    names=(HostName(name="arbiter", address="127.0.0.2"),),
)
CHANNELS = Channels(status=5, block=6, seccomp=7, files=((8, "/etc/hosts"),))


def options(spec: RunSpec = SPEC) -> tuple[str, ...]:
    return arguments.arguments(spec, CHANNELS)


def test_every_namespace_is_new() -> None:
    wanted = {f"--unshare-{kind}" for kind in ("user", "pid", "net", "ipc", "uts", "cgroup")}
    assert wanted <= set(options())


def test_capabilities_and_further_user_namespaces_are_given_up() -> None:
    line = " ".join(options())
    assert "--cap-drop ALL --disable-userns" in line


def test_every_tmpfs_has_a_size() -> None:
    line = options()
    places = [index for index, option in enumerate(line) if option == "--tmpfs"]
    assert places
    assert all(line[place - 2] == "--size" for place in places)


def test_root_is_closed_after_everything_else() -> None:
    assert options()[-4:] == ("--remount-ro", "/dev", "--remount-ro", "/")


def test_var_is_the_only_writable_mount() -> None:
    line = options()
    writable = [line[at + 2] for at, option in enumerate(line) if option == "--bind"]
    assert writable == ["/var"]


def test_proc_is_absent_unless_asked_for() -> None:
    assert "--proc" not in options()
    assert "--proc" in options(msgspec.structs.replace(SPEC, proc=True))


def test_no_secret_is_among_the_options() -> None:
    assert "canary-secret" not in " ".join(options())


def test_a_spec_in_a_log_shows_no_secret() -> None:
    assert "canary" not in repr(SPEC)


def test_secrets_become_files() -> None:
    assert ("/run/secrets/KEY", b"canary-secret") in inner_files(SPEC)


@pytest.mark.parametrize("name", ["", ".", "..", "../../etc/hosts", "a/b"])
def test_a_secret_is_refused_when_its_name_is_a_path(name: str) -> None:
    with pytest.raises(BadRequest, match="secrets"):
        inner_files(msgspec.structs.replace(SPEC, secrets={name: b""}))


@pytest.mark.parametrize("name", ["", "a b", "a\n127.0.0.1 bank.example", "a#", "ä"])
def test_a_host_name_cannot_bring_a_line_of_its_own(name: str) -> None:
    with pytest.raises(BadRequest, match="host name"):
        hosts(msgspec.structs.replace(SPEC, names=(HostName(name=name, address="127.0.0.2"),)))


@pytest.mark.parametrize("address", ["", "10.0.0.1", "127.0.0.1", "127.0.0.2 evil", "::1"])
def test_a_name_resolves_to_its_own_loopback_address_alone(address: str) -> None:
    with pytest.raises(BadRequest, match="address"):
        hosts(msgspec.structs.replace(SPEC, names=(HostName(name="a", address=address),)))


@pytest.mark.parametrize("target", ["/usr", "/opt", "/opt/../etc", "opt/x", "/"])
def test_a_shared_folder_is_mounted_below_opt_only(target: str) -> None:
    with pytest.raises(BadRequest, match="shared"):
        options(msgspec.structs.replace(SPEC, shared=((Path("/srv/runtime"), target),)))


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_encoding_keeps_every_argument_apart(parts: list[str]) -> None:
    assert encode(parts).split(b"\0")[:-1] == [part.encode() for part in parts]


def test_a_nul_cannot_add_an_argument() -> None:
    with pytest.raises(BadRequest, match="NUL"):
        encode(("--setenv", "A", "x\0--bind\0/\0/host"))
