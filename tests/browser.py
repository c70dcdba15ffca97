"""A browser and all that is behind the page it shows: API, worker, store and broker, for real."""

from __future__ import annotations

import json
import os
import shutil
import sys
import uuid
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import jwt
import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)

from models.errors import StackError
from streams import keys
from streams.clock import now_ms
from streams.local import Store
from streams.server import HOST, Server, exchange
from streams.settings import DATA_DIR, PREFIX, Settings
from tests.command import environment, run
from tests.conftest import start
from tests.crew import Worker
from tests.doors import bearing

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from streams.local import Broker

CHROMIUM = "chromium"
PATIENCE_MS = 10_000
DESKTOP = (1280, 900)  # pixels
PHONE = (390, 844)

expect.set_options(timeout=PATIENCE_MS)


class Api(Server):
    """The API of a local stack in a folder, as a process that a test may kill."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        super().__init__("api", folder / DATA_DIR, None)
        self._folder = folder
        self._settings = settings
        self.data_dir.mkdir(exist_ok=True)
        self._made = keys.make_local(self.data_dir)

    @property
    def url(self) -> str:
        """Where browsers find it."""
        return f"http://{self.address}"

    def prepare(self) -> None:
        """Nothing: the key is there."""

    def command(self) -> Sequence[str]:
        """Give the command that a person would type in the folder."""
        told = {
            **environment(self._settings),
            f"{PREFIX}API_HOST": HOST,
            f"{PREFIX}API_PORT": str(self.port),
            f"{PREFIX}API_KEYS": str(self._made["api_keys"]),
            f"{PREFIX}API_SECRET": self._made["api_secret"].get_secret_value(),
        }
        ours = [f"{k}={v}" for k, v in told.items() if k.startswith((PREFIX, "PYTHONPATH"))]
        return ["env", "-C", str(self._folder), *ours, sys.executable, "-m", "streams.cli", "api"]

    def answers(self) -> bool:
        """Tell whether it can give feeds."""
        return b" 200 " in exchange(self.port, b"GET /ready HTTP/1.0\r\n\r\n", 16)

    def token(self, user: str, *, minutes: float = 5, operator: bool = False) -> str:
        """Sign a token, as `likewave token` does."""
        key = jwt.PyJWK(json.loads((self.data_dir / keys.LOCAL_KEY).read_bytes()))
        signer = keys.Signer(key, self._settings.api_issuer, self._settings.api_audience)
        return signer.token(user, now=now_ms(), minutes=minutes, operator=operator)


class Site:
    """An API with a worker behind it, and those who look at its page."""

    def __init__(self, api: Api, folder: Path, settings: Settings, browser: Browser) -> None:
        self.api = api
        self._folder = folder
        self._settings = settings
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self._complaints: list[str] = []  # of the consoles

    def happen(self, *history: dict[str, object]) -> None:
        """Publish events, a millisecond apart, beside the API."""
        path = self._folder / f"{uuid.uuid4().hex}.jsonl"
        begin = now_ms() - len(history)
        lines = [json.dumps({"at": begin + k, **event}) for k, event in enumerate(history)]
        path.write_text("\n".join(lines))
        done = run("replay", str(path), folder=self._folder, settings=self._settings)
        assert done.returncode == 0, done.stderr

    def publish(self, user: str, *history: dict[str, object]) -> None:
        """Publish events of `user` through the API."""
        url = f"{self.api.url}/v1/events"
        httpx.post(url, json=history, headers=bearing(self.api.token(user))).raise_for_status()

    def read(self, user: str, path: str) -> Any:
        """Ask the API as `user`."""
        url = f"{self.api.url}{path}"
        return httpx.get(url, headers=bearing(self.api.token(user))).raise_for_status().json()

    def open(
        self, *, scheme: str = "light", size: tuple[int, int] = DESKTOP, still: bool = False
    ) -> Page:
        """Open a window of somebody who is not signed in; without motion where it is `still`."""
        width, height = size
        context = self._browser.new_context(
            base_url=self.api.url,
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce" if still else "no-preference",
            viewport={"width": width, "height": height},
        )
        context.set_default_timeout(PATIENCE_MS)
        self._contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: self._complaints.append(str(error)))
        page.on("console", self._listen)
        return page

    def _listen(self, said: ConsoleMessage) -> None:
        if said.type in {"error", "warning"}:
            self._complaints.append(said.text)

    def complaints(self, *, besides: re.Pattern[str] | None = None) -> list[str]:
        """List what windows complained of, but for what a test expects."""
        return [one for one in self._complaints if not (besides and besides.search(one))]

    def forgive(self) -> None:
        """Forget what windows complained of."""
        self._complaints.clear()

    def visit(self, user: str, **window: Any) -> Page:
        """Open a window of `user`, and wait until its feed is live."""
        page = self.open(**window)
        page.goto(f"/#token={self.api.token(user)}")
        expect(page.locator("#state")).to_have_text("Live")
        return page

    def close(self) -> None:
        """Close all windows, and forget what they complained of."""
        for context in self._contexts:
            context.close()
        self._contexts.clear()
        self.forgive()


@contextmanager
def browsing() -> Iterator[Browser]:
    """Run Debian's Chromium; where there is none, skip on a person's machine and fail in CI."""
    path = shutil.which(CHROMIUM)
    if path is None:
        reason = "no chromium: apt-get install --no-install-recommends chromium"
        if os.environ.get("CI"):
            raise StackError(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def serving(broker: Broker, folder: Path) -> Iterator[Site]:
    """Run all that is behind the page, and a browser."""
    with ExitStack() as running:
        browser = running.enter_context(browsing())
        store = Store(folder / "store")
        start(store)
        running.callback(store.stop)
        test = uuid.uuid4().hex[:12]
        settings = Settings(
            kafka=broker.address,
            redis=store.url,
            partitions=2,
            topic_prefix=f"{test}.",
            group=test,
        )
        done = run("topics", folder=folder, settings=settings)
        assert done.returncode == 0, done.stderr
        worker = Worker(1, settings, folder)
        worker.start()
        running.callback(worker.stop)
        api = Api(folder, settings)
        start(api)
        running.callback(api.stop)
        yield Site(api, folder, settings, browser)
