"""Bytes in, one response out, whole or as it comes; the client's half of `reader`."""

from httptools import (
    HttpParserCallbackError,
    HttpParserError,
    HttpParserUpgrade,
    HttpResponseParser,
)

from databox.kit.http.incoming import Incoming
from databox.kit.http.message import Response
from databox.wire.errors import DataboxError

_MAX_HEAD = 64 * 1024
_MAX_HEADERS = 200


class Garbled(Exception):
    """The peer's answer breaks the protocol or a bound."""


class ResponseReader:
    """Reads the answer to one request.

    Args:
        max_body: Largest body taken, bytes.
        to_head: The request was HEAD, so that no body follows, whatever its length header says.
        may_change: The request asked for another protocol, so that 101 is an answer.
        cut: Keep the first `max_body` bytes of a larger body, instead of refusing the answer.
    """

    def __init__(
        self,
        max_body: int,
        *,
        to_head: bool = False,
        may_change: bool = False,
        cut: bool = False,
    ) -> None:
        self.rest = b""
        self._cut = cut
        self._may_change = may_change
        self.keeps = False
        self._max_body = max_body
        self._to_head = to_head
        self._parser = HttpResponseParser(self)
        self._headers: list[tuple[str, str]] = []
        self._parts: list[bytes] = []
        self._size = self._head = self._overhead = 0
        self._began = self._in_body = self._framed = False
        self._response: Response | None = None

    def feed(self, data: bytes) -> Response | None:
        """Take what arrived; gives the response once it is complete.

        Raises:
            Garbled: The answer is malformed, too large, or more came than was asked for.
        """
        try:
            self._parse(data)
        except HttpParserError as error:
            if self._response is None:
                raise Garbled(str(error)) from None
            self.keeps = False
        if self._response is None:
            self._bound_unseen(len(data))
        return self._response

    def feed_end(self, *, broken: bool) -> Response | None:
        """The peer has closed; gives the response if that was its end, None if none began.

        Args:
            broken: The connection broke, so that the end of a body without length is not known.

        Raises:
            Garbled: The response is cut short.
        """
        if self._in_body and not self._framed and not broken:
            return self._finished()
        if self._began:
            raise Garbled("the answer is cut short")
        return None

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            self.rest = data[upgrade.args[0] :]
        except HttpParserCallbackError as error:
            raise Garbled(str(error.__context__ or error)) from None

    def _bound_unseen(self, arrived: int) -> None:
        """Count the bytes that the parser holds back or skips."""
        self._overhead += arrived
        if self._overhead > _MAX_HEAD + 7 * self._size + self._head:
            raise Garbled("more framing than content")

    # httptools calls the following by these names.

    def on_status(self, reason: bytes) -> None:
        """A part of the reason phrase, which is for people."""
        self._began = True

    def on_header(self, raw: bytes, value: bytes) -> None:
        """One header line, or a trailer, which is dropped."""
        if self._in_body:
            return
        self._head += len(raw) + len(value)
        if self._head > _MAX_HEAD or len(self._headers) >= _MAX_HEADERS:
            raise Garbled("the answer's head is too large")
        self._headers.append((raw.lower().decode("ascii"), value.strip(b" \t").decode("latin-1")))

    def on_headers_complete(self) -> None:
        """The head is complete."""
        if self._response is not None:
            raise Garbled("a second answer that nobody asked for")
        self._began = True
        status = self._parser.get_status_code()
        if 100 <= status < 200 and status != 101:
            return
        if status == 101 and not self._may_change:
            raise Garbled("a change of protocol that nobody asked for")
        self._in_body = True
        names = {name for name, _ in self._headers}
        self._framed = bool(names & {"content-length", "transfer-encoding"})
        length = next((value for name, value in self._headers if name == "content-length"), "0")
        if self._to_head:
            self._response = self._finished()
        elif int(length) > self._max_body and not self._cut:
            raise Garbled(f"the answer is larger than {self._max_body} bytes")

    def on_body(self, part: bytes) -> None:
        """A part of the body."""
        if self._response is not None:
            return
        room = self._max_body - self._size
        self._size += len(part)
        if len(part) > room and not self._cut:
            raise Garbled(f"the answer is larger than {self._max_body} bytes")
        self._parts.append(part[:room])
        if len(part) > room:
            self._response = self._finished()

    def on_message_complete(self) -> None:
        """The response is complete, unless it was only an interim one."""
        if not self._in_body:
            self._headers.clear()
            self._began = False
        elif self._response is None:
            changed = self._parser.get_status_code() == 101
            self.keeps = changed or self._parser.should_keep_alive()
            self._response = self._finished()

    def _finished(self) -> Response:
        content_type = next((value for name, value in self._headers if name == "content-type"), "")
        return Response(
            self._parser.get_status_code(),
            b"".join(self._parts),
            content_type,
            tuple(self._headers),
        )


class StreamReader(ResponseReader):
    """Reads an answer whose body goes into `stream` as it comes; no bound on its length.

    `feed` gives the head, as a response without body, from when it is there.
    """

    def __init__(self, stream: Incoming, *, to_head: bool = False) -> None:
        super().__init__(0, to_head=to_head, cut=True)
        self.length: int | None = None
        self._stream = stream

    def fail(self, error: DataboxError) -> None:
        """Tell who reads the body that there will be no more."""
        self._stream.fail(error)

    @property
    def is_over(self) -> bool:
        """Whether the body is complete."""
        return self._stream.complete

    def feed(self, data: bytes) -> Response | None:
        """Take what arrived; see `ResponseReader`."""
        try:
            self._parse(data)
        except HttpParserError as error:
            if not self.is_over:
                raise Garbled(str(error)) from None
            self.keeps = False
        if not self.is_over:
            self._bound_unseen(len(data))
        return self._response

    def feed_end(self, *, broken: bool) -> Response | None:
        """The peer has closed; see `ResponseReader`."""
        if self._response is None or self.is_over:
            return super().feed_end(broken=broken)
        if self._framed or broken:
            raise Garbled("the answer is cut short")
        self._stream.end()
        return self._response

    def on_headers_complete(self) -> None:
        """The head is complete."""
        super().on_headers_complete()
        if not self._in_body:
            return
        length = next((value for name, value in self._headers if name == "content-length"), None)
        self.length = None if length is None else int(length)
        self._response = self._finished()
        if self._to_head:
            self._stream.end()

    def on_body(self, part: bytes) -> None:
        """A part of the body."""
        self._size += len(part)
        self._stream.put(part)

    def on_message_complete(self) -> None:
        """The answer is complete, unless it was only an interim one."""
        if not self._in_body:
            super().on_message_complete()
        elif not self.is_over:
            self.keeps = self._parser.should_keep_alive()
            self._stream.end()
