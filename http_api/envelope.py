"""The envelope of every answer, spliced around ready bytes.

Routes declare `response_model=Envelope[...]` for the contract and return these responses: our own
output is dumped once and never validated again, the dearest step of a read.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Generic, Literal, TypeVar, get_args
from urllib.parse import urlencode

import orjson
from fastapi import Request, Response
from pydantic import BaseModel, Field

from core.context import Context
from http_api.metrics import PATCH_SETS_APPLIED
from schemas.changes import ApplyResponse, Receipt
from schemas.errors import ErrorCode, ErrorDetail, Issue
from schemas.paging import Paging
from schemas.patches import PatchSetDetail
from schemas.primitives import Model

API_PREFIX = "/api/v1"
API_VERSION = "1.0.0"
# Answers belong to one caller and are checked again before each use.
REVALIDATE = {"Cache-Control": "private, no-cache", "Vary": "Accept, Authorization, Origin"}

NO_STORE = (b"cache-control", b"no-store")

T = TypeVar("T")
RawHeaders = list[tuple[bytes, bytes]]


class Metadata(Model):
    """What an answer says about itself; parts that do not apply are left out."""

    request_id: str
    api_version: str = API_VERSION
    pagination: Paging | None = Field(default=None, description="lists only")
    warnings: list[Issue] | None = Field(default=None, description="writes only")
    dry_run: bool | None = Field(default=None, description="true when nothing was stored")
    patch_set_id: str | None = Field(default=None, description="of an applied write: what to name in revert")
    replayed: bool | None = Field(default=None, description="true when this write had been done before; this is its first answer")


class Envelope(Model, Generic[T]):
    """A successful answer."""

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """Return the name client generators show, such as ProjectEnvelope or TaskOrNoneEnvelope."""
        members = get_args(params[0]) or params
        return "Or".join(kind.__name__.removesuffix("Type") for kind in members) + "Envelope"

    success: Literal[True]
    data: T
    error: None
    metadata: Metadata


class ErrorEnvelope(Model):
    """A refusal."""

    success: Literal[False]
    data: None
    error: ErrorDetail
    metadata: Metadata


class Problem(Model):
    """A refusal as RFC 9457, for callers that accept application/problem+json."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: ErrorCode
    errors: list[Issue]
    retryable: bool
    request_id: str


def success_bytes(ctx: Context, data: bytes, about: Mapping[str, Any]) -> bytes:
    parts = (b'{"success":true,"data":', data, b',"error":null,"metadata":', metadata_bytes(ctx.request_id, about), b"}")
    return b"".join(parts)  # one copy: the data may be large


def failure_bytes(request_id: str, error: ErrorDetail, about: Mapping[str, Any]) -> bytes:
    detail = error.model_dump_json().encode()
    return b'{"success":false,"data":null,"error":' + detail + b',"metadata":' + metadata_bytes(request_id, about) + b"}"


def metadata_bytes(request_id: str, about: Mapping[str, Any]) -> bytes:
    return orjson.dumps({"request_id": request_id, "api_version": API_VERSION, **about})


def dump(data: BaseModel | None) -> bytes:
    return b"null" if data is None else data.__pydantic_serializer__.to_json(data)


def found(ctx: Context, data: BaseModel, *, tag: str | None = None, revision: int | None = None) -> Response:
    """Answer a read. Without `tag` the validator is a hash of the data, so a 304 cannot lie; `revision` as in `item_tag`."""
    body = dump(data)
    return found_bytes(ctx, body, tag=tag or item_tag(body, revision))


def found_bytes(ctx: Context, body: bytes, *, tag: str) -> Response:
    """Answer a read with data that is JSON already."""
    return Json(success_bytes(ctx, body, {}), 200, [(b"etag", tag.encode()), *_REVALIDATE])


def listed(ctx: Context, request: Request, page: Paging) -> Response:
    """Answer a list, with its pagination in the metadata and as `Link` (RFC 8288)."""
    body = dump(page)
    pagination = {name: getattr(page, name) for name in Paging.model_fields}
    headers = [*_raw({"ETag": digest_tag(body), "Link": links(request, page)}), *_REVALIDATE]
    return Json(success_bytes(ctx, body, {"pagination": pagination}), 200, headers)


def written(
    ctx: Context,
    data: BaseModel | None,
    effect: Receipt | None = None,
    *,
    warnings: Sequence[Issue] = (),
    dry_run: bool = False,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    revision: int | None = None,
) -> Response:
    """Answer a write with `data`, or with the effect it would have when nothing was stored; with `revision`, tagged by it."""
    about: dict[str, Any] = {}
    replayed = ctx.attempt is not None and ctx.attempt.replayed
    if effect is not None:
        replayed = replayed or effect.replayed
        about["warnings"] = [issue.model_dump(mode="json") for issue in effect.warnings]
        if not dry_run:
            about["patch_set_id"] = effect.patch_set_id
            if not replayed:
                PATCH_SETS_APPLIED.inc()
    if warnings:
        about["warnings"] = [issue.model_dump(mode="json") for issue in warnings]
    if effect is not None or ctx.attempt is not None:
        about["replayed"] = replayed
    if dry_run:
        about["dry_run"] = True
    if isinstance(data, ApplyResponse) and replayed:
        data = data.model_copy(update={"replayed": True})
    body = dump(data)
    raw = [NO_STORE] if revision is None else [NO_STORE, (b"etag", item_tag(body, revision).encode())]
    return Json(success_bytes(ctx, body, about), status, raw + _raw(headers or {}))


def proposed(ctx: Context, proposal: PatchSetDetail, *, warnings: Sequence[Issue] = (), dry_run: bool = False) -> Response:
    """Answer with a proposal and where it is stored, or with the one that would be."""
    place = {} if dry_run else {"Location": f"{API_PREFIX}/patch-sets/{proposal.id}"}
    return written(ctx, proposal, warnings=warnings, dry_run=dry_run, status=200 if dry_run else 201, headers=place)


# What `proposed` answers to a dry run, for the `responses=` of its routes.
PREVIEWED: dict[int | str, dict[str, Any]] = {
    200: {"model": Envelope[PatchSetDetail], "description": "Dry run: what would be proposed"}
}


class Json(Response):
    """JSON that is ready to be sent, and so are its headers: the framework would encode each of them for each answer."""

    media_type = "application/json"

    def __init__(self, body: bytes, status: int, headers: RawHeaders) -> None:
        self.body, self.status_code, self.background = body, status, None
        self.raw_headers = [*headers, (b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]


def _raw(headers: Mapping[str, str]) -> RawHeaders:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


_REVALIDATE = _raw(REVALIDATE)


def digest_tag(data: bytes) -> str:
    """Return a strong validator: a hash of the data."""
    return item_tag(data, None)


def item_tag(data: bytes, revision: int | None) -> str:
    """Return an item's revision, for If-Match, with a hash of what is shown of it, for If-None-Match.

    What a task shows depends on its neighbours (is_ready, blocks, progress), which move other revisions.
    """
    digest = hashlib.blake2b(data, digest_size=12).hexdigest()
    return f'"{digest}"' if revision is None else f'"{revision}.{digest}"'


def links(request: Request, page: Paging) -> str:
    """Return the pages around this one; a list continued by cursor knows only its first and its next."""
    path = request.url.path
    query = [(name, value) for name, value in request.query_params.multi_items() if name not in ("page", "cursor")]

    def link(rel: str, **place: object) -> str:
        return f'<{path}?{urlencode([*query, *place.items()])}>; rel="{rel}"'

    if page.page is None:
        return ", ".join([link("first", page=1), *([link("next", cursor=page.next_cursor)] if page.next_cursor else [])])
    last = max(1, -(-page.total // page.per_page))
    around = [link("first", page=1), link("last", page=last)]
    if page.has_prev:
        around.append(link("prev", page=min(page.page - 1, last)))
    if page.has_next:
        around.append(link("next", page=page.page + 1))
    return ", ".join(around)
