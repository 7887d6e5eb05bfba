"""Our own long-lived parts, one entry each: which code, which secrets, which walls."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from databox.box.arbiter_line import Kind
from databox.box.birth import Ceiling, Shared
from databox.box.home import Home
from databox.box.keys import Keyring
from databox.box.pairs import TWINS_INSIDE
from databox.box.part import PartSpec
from databox.box.runtime import Runtime
from databox.box.settings import KINDS, RELEASE, STARTED, VERSION
from databox.box.stores import MODULE as STORE_MODULE
from databox.box.stores import Leaf

GATEWAY, AUTHORITY, MANAGER = "gateway", "authority", "manager"
SWITCHBOARD, EXPORT = "switchboard", "export-service"

MODULES = {
    GATEWAY: "databox.gateway.service",
    AUTHORITY: "databox.box.authority",
    SWITCHBOARD: "databox.switchboard.service",
    EXPORT: "databox.export.service",
    MANAGER: "databox.box.manager",
}
PRELOADED = (*MODULES.values(), STORE_MODULE)

UNLOCKED = (AUTHORITY, SWITCHBOARD, EXPORT, MANAGER)
"""What runs only with an open keyring, in the order of starting."""

KEYED: dict[str, Kind] = {MANAGER: "part", EXPORT: "export-service"}
"""Who shows the arbiter a key, and as what."""

_RESOLVING = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/gai.conf")
_CERTIFICATES = ("/etc/ssl", "/etc/ca-certificates", "/etc/pki")


@dataclass(frozen=True, slots=True)
class Making:
    """What the specs are made from. `started`: what the authority writes down of this start."""

    home: Home
    keys: Keyring
    leaf: Leaf
    runtime: Runtime
    version: str
    started: Callable[[], str]


def arbiter_key(keys: Keyring, name: str) -> str:
    """How a part proves itself to the arbiter: base64 of 32 bytes."""
    return base64.b64encode(keys.key(f"{name}.arbiter-key")).decode()


def gateway(making: Making, port: int, certificate: bytes) -> PartSpec:
    """The browser's front. It is the only one that runs without an owner, and has no key at all."""
    config = {"port": str(port), "ca": certificate.decode(), VERSION: making.version}
    return PartSpec(
        name=GATEWAY,
        module=MODULES[GATEWAY],
        directory=making.home.part(GATEWAY),
        answers=(GATEWAY,),
        config=lambda: config,
        secrets=dict,
        ceiling=Ceiling(descriptors=4096),
    )


def unlocked(making: Making) -> list[PartSpec]:
    """The others, in the order of starting."""
    return [_authority(making), _switchboard(making), _export(making), _manager(making)]


def _authority(making: Making) -> PartSpec:
    def config() -> dict[str, str]:
        return {VERSION: making.version, STARTED: making.started()}

    def secrets() -> dict[str, bytes]:
        return {
            "database": making.keys.key(f"{AUTHORITY}.database"),
            "ledger-key": making.keys.key("ledger"),
            "tls": making.leaf("arbiter"),
        }

    return PartSpec(
        name=AUTHORITY,
        module=MODULES[AUTHORITY],
        directory=making.home.part(AUTHORITY),
        answers=("arbiter", "ledger"),
        config=config,
        secrets=secrets,
    )


def _switchboard(making: Making) -> PartSpec:
    twins = Shared(source=str(making.home.pairs), target=str(TWINS_INSIDE))
    return PartSpec(
        name=SWITCHBOARD,
        module=MODULES[SWITCHBOARD],
        directory=making.home.part(SWITCHBOARD),
        answers=(SWITCHBOARD,),
        config=dict,
        secrets=dict,
        network=True,
        shared=(twins, *_of_the_host(_RESOLVING)),
        ceiling=Ceiling(descriptors=4096),
    )


def _export(making: Making) -> PartSpec:
    def secrets() -> dict[str, bytes]:
        return {**_keyed(making, EXPORT), "tls": making.leaf(EXPORT)}

    return PartSpec(
        name=EXPORT,
        module=MODULES[EXPORT],
        directory=making.home.part(EXPORT),
        answers=(EXPORT,),
        config=dict,
        secrets=secrets,
        shared=_of_the_host(_CERTIFICATES),
    )


def _manager(making: Making) -> PartSpec:
    release = tuple(
        Shared(source=str(making.runtime.release / kind), target=str(RELEASE / kind))
        for kind in KINDS
    )
    return PartSpec(
        name=MANAGER,
        module=MODULES[MANAGER],
        directory=making.home.part(MANAGER),
        answers=(MANAGER,),
        config=lambda: {VERSION: making.version},
        secrets=lambda: _keyed(making, MANAGER),
        shared=release,
    )


def _keyed(making: Making, name: str) -> dict[str, bytes]:
    return {
        "database": making.keys.key(f"{name}.database"),
        "arbiter-key": arbiter_key(making.keys, name).encode(),
    }


def _of_the_host(paths: tuple[str, ...]) -> tuple[Shared, ...]:
    """Those that this host has. Links are followed: their targets are not in the part's root."""
    found = (Path(path) for path in paths)
    return tuple(Shared(source=str(p.resolve()), target=str(p)) for p in found if p.exists())
