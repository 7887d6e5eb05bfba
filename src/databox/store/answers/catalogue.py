"""The store's catalogue: what it has, and how a driver says so."""

from databox.kit.guard import Verified
from databox.kit.http.message import Answer, Request, Response
from databox.store import asked
from databox.store.answers.means import Means
from databox.store.audit import WRITE
from databox.store.door import access
from databox.store.file import NewItem
from databox.wire import catalogue


class CatalogueAnswers:
    """Answers of the catalogue."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def cat(self, request: Request, verified: Verified) -> Answer:
        """The catalogue, as far as the token lets see it."""
        seen = self._means.listing.visible(verified.caveats)
        found = catalogue.search(seen, request.parameters)
        return Response(200, catalogue.encode(catalogue.of_store(found)))

    async def register(self, request: Request, verified: Verified) -> Answer:
        """Register a data source."""
        asked.refuse_bounded(verified.caveats)
        item = catalogue.decode_source(request.body)
        asked.source_permitted(verified.caveats, item.source)
        self._means.listing.check_room(item)
        write = NewItem(item.href, catalogue.encode(item))
        written = access(verified, WRITE, item.source, items=1, size=len(write.json))
        new = await self._means.door.write(verified, write, written)
        self._means.listing.put(item)
        return Response(201 if new else 200, b"", "", (("Location", self._means.origin),))
