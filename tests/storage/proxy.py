"""An HTTP proxy on loopback before the S3 server: it hands everything through, except for the faults it is told to make."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True)
class Request:
    """What the client asked for. `path` is `/bucket/key`, `body` its bytes."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes = field(repr=False, default=b"")


@dataclass(frozen=True)
class Fault:
    """One fault. `kind`: `reset` before any answer, `cut` the connection after `keep` bytes of the body, `short` body
    that says it is whole, `status` an error of that code, `flip` a bit in the middle of the body."""

    kind: str
    keep: int = 0
    status: int = 503


class FaultProxy:
    """Runs while it is entered. `rule(request)` may give a `Fault`, sleep, or change the store before the answer."""

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream).netloc
        self.requests: list[Request] = []
        self.rule: Callable[[Request], Fault | None] = lambda request: None
        self.latency = 0.0
        self.made = 0  # faults
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FaultProxy:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def first(self, n: int, fault: Fault, wanted: Callable[[Request], bool]) -> None:
        """Make a fault of the first `n` requests that are wanted; the rest go through."""
        lock, left = threading.Lock(), [n]

        def rule(request: Request) -> Fault | None:
            with lock:
                if left[0] == 0 or not wanted(request):
                    return None
                left[0] -= 1
                return fault

        self.rule = rule

    def asked(self, method: str, ending: str = "") -> list[Request]:
        return [one for one in self.requests if one.method == method and one.path.endswith(ending)]


def gets(ending: str) -> Callable[[Request], bool]:
    """Picks requests for the body of an object whose path ends so."""
    return lambda request: request.method == "GET" and request.path.endswith(ending) and not request.query


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    proxy: FaultProxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass

    def do_any(self) -> None:
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = urlsplit(self.path)
        request = Request(self.command, unquote(parts.path), parts.query, dict(self.headers.items()), body)
        proxy.requests.append(request)
        time.sleep(proxy.latency)
        fault = proxy.rule(request)
        proxy.made += fault is not None
        if fault is not None and fault.kind == "reset":
            self._reset()
        elif fault is not None and fault.kind == "status":
            self._answer(fault.status, [("Content-Length", "0")], b"")
        else:
            self._through(body, fault)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_any

    def _through(self, body: bytes, fault: Fault | None) -> None:
        upstream = http.client.HTTPConnection(self.server.proxy.upstream, timeout=60)
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                upstream.putheader(name, value)
            upstream.endheaders(body or None)
            answer = upstream.getresponse()
            data = answer.read()
            headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in _OF_A_CONNECTION]
            length = len(data)
            if self.command == "HEAD":
                length = int(answer.getheader("Content-Length") or 0)
            elif fault is not None and fault.kind == "flip":
                data = data[: length // 2] + bytes([data[length // 2] ^ 1]) + data[length // 2 + 1 :]
            elif fault is not None and fault.kind == "short":
                data, length = data[: fault.keep], fault.keep
            headers.append(("Content-Length", str(length)))
            cut = fault is not None and fault.kind == "cut"
            self._answer(answer.status, headers, data[: fault.keep] if fault and cut else data)
            if cut:
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
        finally:
            upstream.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], data: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _reset(self) -> None:
        # Closing with a linger of zero sends a reset instead of an orderly end.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()


_OF_A_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "content-length"}
