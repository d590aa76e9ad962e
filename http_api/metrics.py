"""What the gateway counts about itself, for Prometheus.

With several workers each process writes its numbers into files of PROMETHEUS_MULTIPROC_DIR, and
whichever answers adds them up; `http_api.app` sets that up. Only values that a process can add to
or take from are kept here, because computed ones would speak of the answering process alone.
"""

import os
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector

from core.context import Context
from core.meter import Outcome
from schemas.usage import Usage

MULTIPROCESS_DIR = "PROMETHEUS_MULTIPROC_DIR"
MEDIA_TYPE = CONTENT_TYPE_LATEST
UNROUTED = "none"  # refused before a route was found, or no route at all: never a path somebody made up
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

_REGISTRY = CollectorRegistry()
_requests = Counter("orchestrator_http_requests", "Answered requests", ["method", "route", "status"], registry=_REGISTRY)
_durations = Histogram(
    "orchestrator_http_request_duration_seconds",
    "Time from the head of a request to the end of its answer, streams left out",
    ["method", "route"],
    buckets=SECONDS,
    registry=_REGISTRY,
)
IN_FLIGHT = Gauge(
    "orchestrator_http_requests_in_flight", "Requests being answered", registry=_REGISTRY, multiprocess_mode="livesum"
)
EVENT_STREAMS = Gauge("orchestrator_event_streams", "Open streams of events", registry=_REGISTRY, multiprocess_mode="livesum")
PATCH_SETS_APPLIED = Counter("orchestrator_patch_sets_applied", "Patch sets applied through this gateway", registry=_REGISTRY)
_store_waiting = Gauge(
    "orchestrator_store_calls_waiting",
    "Calls that wait for the store or run on it",
    registry=_REGISTRY,
    multiprocess_mode="livesum",
)
_store_transactions = Counter(
    "orchestrator_store_transactions",
    "Transactions of the store; those that conflicted with another are run again",
    ["kind", "outcome"],
    registry=_REGISTRY,
)
_answers = Counter("orchestrator_agent_answers", "Answers of agents", ["operation", "engine"], registry=_REGISTRY)
_model_calls = Counter("orchestrator_model_calls", "Calls to providers for those answers", ["model"], registry=_REGISTRY)
_model_tokens = Counter("orchestrator_model_tokens", "Tokens of those calls", ["model", "kind"], registry=_REGISTRY)
if MULTIPROCESS_DIR not in os.environ:
    ProcessCollector(registry=_REGISTRY)


class _Request:
    """The two numbers of one method, route and status, looked up once."""

    def __init__(self, method: str, route: str, status: str) -> None:
        self.count = _requests.labels(method, route, status).inc
        self.observe = _durations.labels(method, route).observe


_known: dict[tuple[str, str, int | None], _Request] = {}


def count_request(method: str, route: str, status: int | None, seconds: float | None) -> None:
    """Count an answer; without a status its caller had gone before there was one. Streams have no duration."""
    key = (method if method in METHODS else "other", route, status)
    known = _known.get(key)
    if known is None:
        known = _known[key] = _Request(key[0], route, "none" if status is None else str(status))
    known.count()
    if seconds is not None:
        known.observe(seconds)


def count_answer(ctx: Context, operation: str, engine: str, model: str | None, usage: Usage | None) -> None:
    """Count an answer of an agent and what it took; one that is repeated takes nothing."""
    if ctx.attempt is not None and ctx.attempt.replayed:
        return
    _answers.labels(operation, engine).inc()
    if model is not None and usage is not None:
        _model_calls.labels(model).inc(usage.calls)
        _model_tokens.labels(model, "input").inc(usage.input_tokens)
        _model_tokens.labels(model, "output").inc(usage.output_tokens)


class StoreMeter:
    """The store's `Meter`."""

    def __init__(self) -> None:
        self.wait: Callable[[], None] = _store_waiting.inc
        self.done: Callable[[], None] = _store_waiting.dec
        self._ended = {
            (outcome, writes): _store_transactions.labels("write" if writes else "read", outcome.value)
            for outcome in Outcome
            for writes in (False, True)
        }

    def transaction(self, outcome: Outcome, *, writes: bool) -> None:
        self._ended[outcome, writes].inc()


def rendered() -> bytes:
    """Return all numbers in Prometheus's text format, those of the other workers added."""
    if MULTIPROCESS_DIR not in os.environ:
        return generate_latest(_REGISTRY)
    everybody = CollectorRegistry()
    MultiProcessCollector(everybody)  # type: ignore[no-untyped-call]  # the library's is
    return generate_latest(everybody)
