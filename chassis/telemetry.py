"""Structured logs, traces and metrics of a process, configured once."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import structlog
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from chassis.settings import Settings
from contracts.envelope import Envelope

MAXIMUM_SPANS_A_BATCH = 64

_propagator = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("portico")
meter = metrics.get_meter("portico")


def configure_logging(service: str, log_format: Literal["json", "console"], log_level: str) -> None:
    """One line an event on standard output, with the name of the service in it."""
    level = logging.getLevelNamesMapping()[log_level]
    renderer = structlog.dev.ConsoleRenderer() if log_format == "console" else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


def configure(service: str, settings: Settings) -> None:
    """Sets up logging, and traces and metrics as far as they are asked for. Once a process."""
    configure_logging(service, settings.log_format, settings.log_level)
    resource = Resource.create({"service.name": f"portico-{service}"})
    metrics.set_meter_provider(MeterProvider(metric_readers=[PrometheusMetricReader()], resource=resource))
    if settings.otlp_endpoint:
        provider = TracerProvider(resource=resource)
        exporter = OTLPSpanExporter(endpoint=f"{settings.otlp_endpoint.rstrip('/')}/v1/traces", timeout=5)
        provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=500))
        trace.set_tracer_provider(provider)


def traceparent() -> str | None:
    """The current span as W3C trace context, or None outside of a trace."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


@contextmanager
def span(name: str, parent: str | None = None, **attributes: str | int) -> Iterator[None]:
    """Times a piece of work as a span below the given traceparent, or below the current span."""
    context = _propagator.extract({"traceparent": parent}) if parent else None
    with _tracer.start_as_current_span(name, context=context, attributes=attributes):
        yield


def consumed(name: str, envelopes: Sequence[Envelope], started_ns: int) -> None:
    """One span for each traced event of a batch that was just applied: it ends the trace that its command began."""
    traced = [envelope for envelope in envelopes if envelope.metadata.traceparent][:MAXIMUM_SPANS_A_BATCH]
    for envelope in traced:
        context = _propagator.extract({"traceparent": envelope.metadata.traceparent or ""})
        attributes = {"messaging.message.id": str(envelope.position), "portico.event": envelope.event.type}
        kind = trace.SpanKind.CONSUMER
        _tracer.start_span(name, context, kind, attributes, start_time=started_ns).end()
