"""Which part may ask the box for what, and which names a hostile manager may put into it.

The manager is told apart from the box because it reads what browsers and packages send. So
whatever it asks is checked here as if somebody else had taken it over: it can steer components,
but reach no file, part or pair that is not theirs.
"""

from databox.wire import control
from databox.wire.errors import BadRequest, Denied
from databox.wire.names import STORE_SUFFIX, any_name, component_name

_ANY = (control.Ready, control.Closed, control.Broken, control.Fares, control.Connect)
_GATEWAY = (
    control.Setup,
    control.Unlock,
    control.Recover,
    control.NewRecovery,
    control.Dial,
    control.BoxStatus,
)
_MANAGER = (
    control.EnsureStore,
    control.ForgetStore,
    control.RestartTarget,
    control.EnsurePair,
    control.DropPair,
    control.AllowExports,
    control.StartInstance,
    control.StopInstance,
    control.RemoveInstance,
    control.AdoptPackage,
    control.Describe,
    control.RemovePackage,
    control.InstanceStats,
    control.Tail,
)
ALLOWED: dict[str, tuple[type, ...]] = {
    "gateway": (*_ANY, *_GATEWAY),
    "manager": (*_ANY, *_MANAGER),
}
"""Parts that are not named here may send what any part may."""

ANSWERED_BY = {
    "arbiter": "authority",
    "ledger": "authority",
    "manager": "manager",
    "export-service": "export-service",
    "switchboard": "switchboard",
}
"""Which process answers to a service's name; a store answers to its own."""

STATIC_PAIRS: dict[str, tuple[str, ...]] = {
    "box": ("arbiter",),
    "gateway": ("arbiter", "ledger", "manager", "export-service"),
    "manager": ("arbiter", "ledger", "export-service"),
    "export-service": ("arbiter", "ledger", "switchboard"),
    "switchboard": ("ledger",),
}
"""Who of our own parts calls whom, as long as the box runs."""

STORE_CALLS = ("arbiter", "ledger")
STORE_CALLERS = ("manager", "gateway")
"""Every store calls the first two; these two call every store."""

SANDBOX_CALLEES = ("arbiter", "export-service")
"""What a driver or app may reach beside stores."""

MAX_ARGUMENTS = 64
MAX_TEXT = 16 * 1024


def check_sender(part: str, message: control.FromPart) -> None:
    """Check that this part may send this kind of message.

    Raises:
        Denied: it may not.
    """
    if not isinstance(message, ALLOWED.get(part, _ANY)):
        raise Denied(
            "this part may not ask the box for that",
            code="not-permitted",
            field=part,
            found=type(message).__name__,
        )


def check_pair(caller: str, callee: str, stores: frozenset[str]) -> None:
    """Check a pair that the manager asks for.

    Raises:
        BadRequest: a name outside the grammar, or a caller that is a part of the box.
        Denied: the callee is not one that this caller may ever reach.
    """
    if callee in stores and caller in STORE_CALLERS:
        return
    component_name(caller, field="caller")
    any_name(callee, field="callee")
    if callee not in stores and callee not in SANDBOX_CALLEES:
        raise Denied("no component may reach this", field="callee", found=callee)


def check_store(name: str) -> None:
    """Check the name of a store.

    Raises:
        BadRequest: it is not the name of a store.
    """
    any_name(name, field="store")
    if not name.endswith(STORE_SUFFIX) or name == STORE_SUFFIX:
        raise BadRequest("this is not the name of a store", field="store", found=name)


def check_instance(message: control.StartInstance) -> None:
    """Check what the manager wants to run.

    Raises:
        BadRequest: a name outside the grammar, no command, or text past its bound.
    """
    component_name(message.name)
    check_digest(message.package)
    if not message.command or len(message.command) > MAX_ARGUMENTS:
        raise BadRequest(
            "the command must have 1 to 64 words",
            field="command",
            found=f"{len(message.command)} words",
        )
    texts = (*message.command, *message.environment, *message.environment.values())
    if any(len(text) > MAX_TEXT or "\0" in text for text in texts):
        raise BadRequest("a word is too long or holds a NUL", field="environment")
    if any("=" in name for name in message.environment):
        raise BadRequest("a variable's name holds an equals sign", field="environment")


def check_digest(digest: str) -> None:
    """Check a package's name: 64 hexadecimal digits, so it is never a path.

    Raises:
        BadRequest: it is something else.
    """
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise BadRequest("this is not the digest of a package", field="package", found=digest[:80])
