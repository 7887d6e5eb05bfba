"""What a part, and a manager that somebody took over, may ask of the box."""

import typing

import msgspec
import pytest

from databox.box import permitted
from databox.wire import control
from databox.wire.errors import DataboxError, Denied

STORES = frozenset({"hue-store"})
START = control.StartInstance(
    id=1,
    name="warm-home",
    kind="app",
    package="a" * 64,
    command=("python3", "main.py"),
    environment={},
    arbiter_key="",
    peers=(),
    outside=(),
    web=None,
    proc=False,
    limits=msgspec.convert({}, control.Limits),
)


def test_store_may_connect_and_no_more() -> None:
    permitted.check_sender("hue-store", control.Connect(id=1, callee="arbiter"))
    with pytest.raises(Denied):
        permitted.check_sender("hue-store", control.Dial(id=1, instance="warm-home"))


def test_gateway_may_not_steer_components() -> None:
    with pytest.raises(Denied):
        permitted.check_sender("gateway", START)


def test_manager_may_not_unlock() -> None:
    with pytest.raises(Denied):
        permitted.check_sender("manager", control.Unlock(id=1, passphrase="x"))


def test_only_the_gateway_may_ask_for_a_new_recovery_code() -> None:
    message = control.NewRecovery(id=1, passphrase="x")
    permitted.check_sender("gateway", message)
    for other in ("manager", "authority", "hue-store"):
        with pytest.raises(Denied):
            permitted.check_sender(other, message)


def test_every_message_has_a_sender() -> None:
    listed = {kind for kinds in permitted.ALLOWED.values() for kind in kinds}
    assert listed == set(typing.get_args(control.FromPart))


@pytest.mark.parametrize("callee", ["hue-store", "arbiter", "export-service"])
def test_component_may_be_paired_with(callee: str) -> None:
    permitted.check_pair("warm-home", callee, STORES)


@pytest.mark.parametrize(
    ("caller", "callee"),
    [
        ("warm-home", "ledger"),
        ("warm-home", "manager"),
        ("warm-home", "box"),
        ("warm-home", "other-store"),
        ("manager", "arbiter"),
        ("box", "arbiter"),
        ("../keys", "hue-store"),
        ("hue-store", "hue-store"),
        ("warm-home", "../hue-store"),
    ],
)
def test_pair_that_no_manager_may_make_is_refused(caller: str, callee: str) -> None:
    with pytest.raises(DataboxError):
        permitted.check_pair(caller, callee, STORES)


@pytest.mark.parametrize("name", ["-store", "hue", "../x-store", "hue-store/", "A-store"])
def test_what_is_no_store_name_is_refused(name: str) -> None:
    with pytest.raises(DataboxError):
        permitted.check_store(name)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../x"},
        {"name": "manager"},
        {"name": "hue-store"},
        {"package": "../" + "a" * 61},
        {"package": "A" * 64},
        {"command": ()},
        {"command": ("python3\0",)},
        {"environment": {"A=B": "c"}},
        {"environment": {"A": "\0"}},
        {"environment": {"A": "x" * 20_000}},
    ],
)
def test_instance_that_would_reach_beyond_itself_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(DataboxError):
        permitted.check_instance(msgspec.structs.replace(START, **change))


def test_sound_instance_is_accepted() -> None:
    permitted.check_instance(START)
