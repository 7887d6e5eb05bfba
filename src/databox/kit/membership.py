"""What a service fetches from the arbiter before its first answer: its secret and what has ended.

No arbiter, no service: until both are here, nothing can be checked and nothing is answered.
"""

import asyncio
from collections.abc import Collection

from databox.kit.clock import Clock
from databox.kit.control import Control
from databox.kit.dialer import Dialer
from databox.kit.guard import EndedGrants, Guard
from databox.wire import api
from databox.wire.caveats import Duty
from databox.wire.errors import DataboxError, from_json

_PAUSE_S = 0.05


async def join_arbiter(
    control: Control, dialer: Dialer, clock: Clock, *, keeps: Collection[Duty] = ()
) -> tuple[Guard, EndedGrants]:
    """Fetch the part's own secret and epoch; gives its guard, and the grants that have ended.

    `keeps`: the caveats about data that the service keeps itself. Tries until the arbiter answers.
    """
    while True:
        try:
            secret = await _secret(control, dialer)
            epoch: api.Epoch = await dialer.call("epoch")
            break
        except (DataboxError, OSError):
            await asyncio.sleep(_PAUSE_S)
    ended = EndedGrants(epoch.epoch, epoch.ended)
    return Guard(control.part, secret, clock, ended, keeps=keeps), ended


async def _secret(control: Control, dialer: Dialer) -> str:
    key = control.secrets["arbiter-key"].reveal().decode()
    response = await dialer.fetch("arbiter", "GET", "/store/secret", headers={"x-api-key": key})
    if response.status != 200:
        raise from_json(response.status, None)
    return response.body.decode()
