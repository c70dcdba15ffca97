"""The API: one application, whose doors are the routers of the modules above.

uvicorn -> guard (size, headers, mistakes) -> CORS -> router -> door
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from models.errors import BrokerError, CursorError, EventError, StoreError
from streams import (
    api_metrics,
    events_api,
    feed_api,
    health_api,
    items_api,
    operator_api,
    problems,
    reference,
    session_api,
    stream_api,
    submissions,
    web_page,
)
from streams import store as stores
from streams.access import Access
from streams.cursors import Seal
from streams.guard import Guard
from streams.outlook import Outlook
from streams.page_policies import LivePolicies
from streams.pager import Pager
from streams.publisher import Publisher
from streams.quotas import Quotas
from streams.readiness import Readiness
from streams.screens import Screens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streams.keys import Signer
    from streams.settings import Settings

DOORS = (
    health_api.router,
    session_api.router,
    feed_api.router,
    stream_api.router,
    items_api.router,
    events_api.router,
    operator_api.router,
    web_page.router,
    reference.router,
)
TOLD = (
    *(HTTPException, RequestValidationError, CursorError, EventError),
    *(StoreError, RedisError, BrokerError),
)
PUBLISHED_S = 5.0  # for Kafka to acknowledge: brokers restart within that time
EXPOSED = ("ETag", "Retry-After", "WWW-Authenticate")


def application(settings: Settings, signer: Signer | None = None) -> FastAPI:
    """Make the application; raise SettingsError where it could verify or sign nothing.

    `signer` is that of a local stack, in which anybody may look as anybody.
    """
    app = FastAPI(
        title="Likewave",
        summary="Live feeds: what the people around you like and share, the moment they do.",
        version="1",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_opened,
    )
    app.state.settings = settings
    app.state.access = Access(settings)
    app.state.seal = Seal(settings)
    app.state.signer = signer
    app.state.policies = LivePolicies(settings)
    app.state.is_policy_checked = False
    for router in DOORS:
        app.include_router(router)
    _answer_head(app)
    if signer is not None:
        app.include_router(session_api.local_router)
    for error in TOLD:
        app.add_exception_handler(error, problems.answer)
    _add_middleware(app, settings)
    app.openapi = lambda: _contract(app)  # type: ignore[method-assign]  # FastAPI's own way
    return app


def _answer_head(app: FastAPI) -> None:
    """Answer HEAD as GET; uvicorn leaves the body out. A stream is nothing but its body."""
    for router in DOORS:
        for route in router.routes if router is not stream_api.router else ():
            if isinstance(route, APIRoute) and route.methods == {"GET"}:
                app.add_api_route(
                    route.path, route.endpoint, methods=["HEAD"], include_in_schema=False
                )


@asynccontextmanager
async def _opened(app: FastAPI) -> AsyncIterator[None]:
    """Hold one pool of connections; a store that is away at the start may come later."""
    settings = app.state.settings
    store = stores.connect(settings)
    app.state.store = store
    app.state.quotas = Quotas(store)
    app.state.readiness = Readiness(store, settings)
    try:
        async with (
            Pager(store, settings, app.state.policies) as app.state.pager,
            Screens(store, settings) as app.state.screens,
            Publisher(settings, patience_s=PUBLISHED_S) as app.state.publisher,
            Outlook(settings) as app.state.outlook,
        ):
            screens = app.state.screens
            api_metrics.open_streams.set_function(lambda: len(screens))
            yield
    finally:
        await app.state.readiness.close()
        await app.state.quotas.close()
        await store.aclose()


def _add_middleware(app: FastAPI, settings: Settings) -> None:
    app.add_middleware(Guard)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(filter(None, settings.api_origins.split(","))),
        allow_methods=problems.METHODS,
        allow_headers=["*"],
        expose_headers=EXPOSED,
    )


def _contract(app: FastAPI) -> dict[str, Any]:
    """Describe the application, with the schema of a problem."""
    if app.openapi_schema is None:
        app.openapi_schema = get_openapi(
            title=app.title, version=app.version, summary=app.summary, routes=app.routes
        )
        components = app.openapi_schema["components"]["schemas"]
        components |= {"Problem": problems.schema(), **submissions.schemas()}
    return app.openapi_schema
