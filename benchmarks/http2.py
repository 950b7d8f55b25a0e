"""As much of HTTP/2 as calls of one unary gRPC method need: requests encoded beforehand, answers taken frame by frame.

And what REST needs beyond that: bodies as they are, a path for each request, and the status before the body.

RFC 9113 and 7541. The peer is told to keep no header table (SETTINGS_HEADER_TABLE_SIZE = 0), so that a block of
headers means the same each time it comes, and the grpc-status in it is found without decoding the others.
"""

import socket
import struct
from contextlib import suppress
from dataclasses import dataclass

FRAME = struct.Struct(">BHBBL")  # length, in 24 bits; kind; flags; stream
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
HEADER_TABLE_SIZE, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE = 1, 3, 4
FIRST_WINDOW, LARGEST_WINDOW, LARGEST_FRAME = 65_535, 2**31 - 1, 16_384
# The name as gRPC's C core writes it, and Huffman coded, as Go does; neither codes a short number.
STATUS_NAMES = (b"\x0bgrpc-status", bytes.fromhex("889acac8b21234da8f"))
GET, POST, OVER_HTTP = b"\x82", b"\x83", b"\x86"
# The path and the other four of _shared_fields() from the dynamic table, the last of them first.
PATH_AGAIN, OTHERS_AGAIN = bytes((0x80 + 66,)), bytes(range(0x80 + 65, 0x80 + 61, -1))
TABLE_IS_EMPTIED, STATUS_200 = b"\x20", b"\x88"
GRPC, JSON = "application/grpc", "application/json"


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return FRAME.pack(len(payload) >> 16, len(payload) & 0xFFFF, kind, flags, stream) + payload


def literal(name: str, value: str, *, first_byte: int = 0x00) -> bytes:
    """A header field as RFC 7541, 6.2.2 has it, or with 0x40 as in 6.2.1: kept in the peer's table."""
    out = bytes((first_byte,))
    for text in (name.encode(), value.encode()):
        size, length = b"", len(text)
        if length >= 127:
            size, length = b"\x7f", length - 127
            while length >= 128:
                size, length = size + bytes((length & 127 | 128,)), length >> 7
        out += size + bytes((length,)) + text
    return out


def message(body: bytes) -> bytes:
    """As gRPC sends it: uncompressed, its length before it."""
    return b"\0" + len(body).to_bytes(4, "big") + body


NUMBER = b"{number}"  # in a body: eight digits take its place, others in each call


class Request:
    """One that is sent again and again. `answer` is the message that must come back, or with `holds` a part of it;
    None for whatever comes. `path` if it is another than the connection's."""

    def __init__(
        self,
        body: bytes,
        headers: dict[str, str],
        answer: bytes | None,
        *,
        holds: bool = False,
        content_type: str = GRPC,
        path: str = "",
    ) -> None:
        self._fields = b"".join(literal(*each) for each in headers.items())
        self._message = message(body) if content_type == GRPC else body
        self._before_answer = len(message(b"")) if content_type == GRPC else 0
        self.begin = (POST if self._message else GET) + OVER_HTTP
        self.path = path
        self.size = len(self._message)
        if self.size > FIRST_WINDOW:
            raise ValueError(f"a request of {self.size} bytes; at most {FIRST_WINDOW} fit into a stream's first window")
        self._answer, self._holds = answer, holds
        self.is_numbered = NUMBER in body
        self.pieces = self.encode((literal(":path", path) if path else PATH_AGAIN) + OTHERS_AGAIN)

    def encode(self, shared_fields: bytes) -> list[bytes]:
        """Its frames without the stream's four bytes, which go between the pieces."""
        block = self.begin + shared_fields + self._fields
        frames = [frame(HEADERS, END_HEADERS if self._message else END_HEADERS | END_STREAM, 0, block)]
        for at in range(0, self.size, LARGEST_FRAME):
            part = self._message[at : at + LARGEST_FRAME]
            frames.append(frame(DATA, END_STREAM if at + LARGEST_FRAME >= self.size else 0, 0, part))
        pieces, rest = [], b""
        for each in frames:
            pieces.append(rest + each[:5])
            rest = each[9:]
        return [*pieces, rest]

    def is_answered_by(self, answer: bytes) -> bool:
        if self._answer is None:
            return True
        if self._holds:
            return self._answer in answer
        return answer[self._before_answer :] == self._answer


@dataclass(slots=True, eq=False)
class Call:
    """`started` in seconds of time.perf_counter(). `status`, where it comes before the body: of REST."""

    request: Request
    started: float
    number: int = 0
    answer: bytes = b""
    status: str = "none"


class Connection:
    """Start calls, flush, receive those that have ended. Nothing blocks but connecting."""

    def __init__(self, address: str, path: str, content_type: str = GRPC) -> None:
        self._address, self._path, self._content_type = address, path, content_type
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), 10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self.fileno, self.close = self._socket.fileno, self._socket.close
        self.calls: dict[int, Call] = {}
        self.is_leaving = False  # the peer takes no new calls
        self._stream, self._window, self._most_calls = -1, FIRST_WINDOW, LARGEST_WINDOW
        self._read, self._taken = b"", 0
        settings = struct.pack(">HLHL", HEADER_TABLE_SIZE, 0, INITIAL_WINDOW_SIZE, LARGEST_WINDOW)
        self.out = bytearray(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, settings))
        self._widen(LARGEST_WINDOW - FIRST_WINDOW)

    def start(self, call: Call) -> bool:
        """False if the peer leaves no room for it now."""
        request = call.request
        if request.size > self._window or len(self.calls) >= self._most_calls or self.is_leaving:
            return False
        pieces = request.pieces if self._stream > 0 else request.encode(self._shared_fields(request))
        if request.is_numbered:
            pieces = [piece.replace(NUMBER, b"%08d" % call.number) for piece in pieces]
        self._stream += 2
        self._window -= request.size
        self.calls[self._stream] = call
        self.out += self._stream.to_bytes(4, "big").join(pieces)
        return True

    def flush(self) -> None:
        """As much as fits; `out` holds the rest."""
        if self.out:
            with suppress(BlockingIOError, ConnectionError):  # receive() tells of one that is over
                del self.out[: self._socket.send(self.out)]

    def receive(self) -> list[tuple[Call, str]]:
        """What has ended, with its grpc-status (of REST: "0" for 200); "not taken" if it may be sent again.

        ConnectionError if it is over.
        """
        part = self._socket.recv(1 << 18)
        if not part:
            raise ConnectionError("closed by the peer")
        read = self._read + part
        ended: list[tuple[Call, str]] = []
        at, size = 0, len(read)
        while size - at >= 9:
            high, low, kind, flags, stream = FRAME.unpack_from(read, at)
            end = at + 9 + (high << 16 | low)
            if end > size:
                break
            payload = read[at + 9 : end]
            at = end
            if kind == DATA:
                self._taken += len(payload)
                if stream in self.calls:
                    call = self.calls[stream]
                    call.answer += payload
                    if flags & END_STREAM:
                        ended.append((self.calls.pop(stream), call.status))
            elif kind == HEADERS:
                if flags & PADDED or not flags & END_HEADERS:
                    raise ConnectionError("headers in a form that is not read here")
                if flags & END_STREAM and stream in self.calls:
                    ended.append((self.calls.pop(stream), status_of(payload)))
                elif self._content_type == JSON and stream in self.calls:
                    is_200 = payload.removeprefix(TABLE_IS_EMPTIED).startswith(STATUS_200)
                    self.calls[stream].status = "0" if is_200 else "not 200"
            elif kind == RST_STREAM and stream in self.calls:
                ended.append((self.calls.pop(stream), f"reset with {int.from_bytes(payload, 'big')}"))
            else:
                ended += self._control(kind, flags, stream, payload)
        self._read = read[at:]
        if self._taken > LARGEST_WINDOW // 2:
            self._widen(self._taken)
            self._taken = 0
        return ended

    def _control(self, kind: int, flags: int, stream: int, payload: bytes) -> list[tuple[Call, str]]:
        if kind == SETTINGS and not flags & ACK:
            for name, value in struct.iter_unpack(">HL", payload):
                if name == MAX_CONCURRENT_STREAMS:
                    self._most_calls = value
                elif name == INITIAL_WINDOW_SIZE and value < FIRST_WINDOW:
                    raise ValueError(f"the peer takes {value} bytes of a call at first; here it must be {FIRST_WINDOW}")
            self.out += frame(SETTINGS, ACK, 0, b"")
        elif kind == PING and not flags & ACK:
            self.out += frame(PING, ACK, 0, payload)
        elif kind == WINDOW_UPDATE and stream == 0:
            self._window += int.from_bytes(payload, "big")
        elif kind == GOAWAY:
            self.is_leaving = True
            last = int.from_bytes(payload[:4], "big")
            return [(self.calls.pop(each), "not taken") for each in list(self.calls) if each > last]
        return []

    def _shared_fields(self, first: Request) -> bytes:
        """Five that the peer is to keep for the calls after the first."""
        shared = {
            ":path": first.path or self._path,
            ":authority": self._address,
            "te": "trailers",
            "content-type": self._content_type,
            "user-agent": "tenantry-benchmarks",
        }
        return b"".join(literal(*each, first_byte=0x40) for each in shared.items())

    def _widen(self, size: int) -> None:
        self.out += frame(WINDOW_UPDATE, 0, 0, size.to_bytes(4, "big"))


_statuses: dict[bytes, str] = {}


def status_of(block: bytes) -> str:
    """The number in it as text."""
    found = _statuses.get(block)
    if found is None:
        found = "none"
        for name in STATUS_NAMES:
            _, there, rest = block.partition(name)
            if there:
                found = rest[1 : 1 + rest[0]].decode()
        if len(_statuses) < 10_000:
            _statuses[block] = found
    return found
