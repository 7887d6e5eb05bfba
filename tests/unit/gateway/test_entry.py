"""The way in: what is typed wrong is said in the owner's words."""

import asyncio

import msgspec
import pytest
from tests.unit.gateway.test_proof import KEY

from databox.gateway.entry import Entry
from databox.gateway.proof import jwk_of
from databox.kit.table import Call
from databox.wire import api, control
from databox.wire.errors import DataboxError, Unauthenticated

WORDS = "amber kettle window nine"
JWK = jwk_of(KEY.public_key())


class FakeBox:
    """Locked, or running; nothing that is typed opens it."""

    def __init__(self, state):
        self.state = state
        self.config = {}
        self.trouble = Unauthenticated("this does not open the key", code="wrong-key")

    async def ask(self, message):
        if isinstance(message, control.BoxStatus):
            return msgspec.json.encode(control.BoxState(state=self.state))
        raise self.trouble


class FakeArbiter:
    """Knows the owner, and takes no passphrase."""

    async def call(self, name, *_, **__):
        if name == "owner":
            return api.SessionOwner(user="Ana", role="owner", thumbprint="", expires=0)
        raise Unauthenticated("the passphrase is wrong", code="wrong-passphrase")


def failing(call, request, box):
    entry = Entry(box, FakeArbiter(), None)
    with pytest.raises(DataboxError) as error:
        asyncio.run(getattr(entry, call)(Call(message=request, request=None)))
    return error.value


@pytest.mark.parametrize("state", ["locked", "running"])
def test_a_wrong_passphrase_is_called_so_locked_or_not(state):
    error = failing("login", api.LoginRequest(passphrase=WORDS, key=JWK), FakeBox(state))
    assert error.message == "that is not the passphrase"
    assert (error.status, error.code, error.field) == (401, "wrong-passphrase", "passphrase")
    assert error.remedy


def test_a_wrong_recovery_code_is_called_so():
    request = api.RecoverRequest(recovery_code="AAAA", passphrase=WORDS, key=JWK)
    error = failing("recover", request, FakeBox("locked"))
    assert (error.status, error.code, error.field) == (401, "wrong-recovery-code", "recovery_code")
    assert error.remedy


def test_too_many_tries_are_not_told_as_another_wrong_one():
    box = FakeBox("locked")
    box.trouble = Unauthenticated("too many wrong tries", code="too-many-tries", remedy="Wait 3 s")
    error = failing("login", api.LoginRequest(passphrase=WORDS, key=JWK), box)
    assert (error.code, error.remedy) == ("too-many-tries", "Wait 3 s")
