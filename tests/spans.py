"""A collector of traces for tests: takes OTLP over HTTP and keeps what comes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Span:
    """As much of a span as tells which process did what, and in which trace."""

    trace_id: str
    service: str
    name: str


@dataclass
class Collected:
    """Where to send spans, and those that came."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)

    def trace_of(self, service: str, name: str) -> set[tuple[str, str]]:
        """Who did what in the traces that this span belongs to."""
        ids = {span.trace_id for span in self.spans if (span.service, span.name) == (service, name)}
        return {(span.service, span.name) for span in self.spans if span.trace_id in ids}


@contextmanager
def collector() -> Iterator[Collected]:
    """Collects for the length of the block."""
    collected = Collected()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["content-length"])))
            for resource in request.resource_spans:
                names = {a.key: a.value.string_value for a in resource.resource.attributes}
                for scope in resource.scope_spans:
                    service = names.get("service.name", "?")
                    collected.spans += [Span(span.trace_id.hex(), service, span.name) for span in scope.spans]
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collected.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collected
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
