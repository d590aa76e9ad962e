"""A headless Chromium, spoken to in its own protocol over a pipe: it needs neither a driver nor a port.

https://chromedevtools.github.io/devtools-protocol/, with `--remote-debugging-pipe`: commands go to the browser's file
descriptor 3, answers and events come from 4, each a JSON object that ends in a NUL.
"""

import asyncio
import base64
import json
import os
import shutil
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.support.services import missing

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--remote-debugging-pipe",
    "--disable-background-networking", "--disable-component-update", "--force-color-profile=srgb", "--hide-scrollbars",
    "--disable-features=IsolateSandboxedIframes",  # a sandboxed frame stays in its page's process, and so within one session
)  # fmt: skip
ANSWER_SECONDS = 60.0


def chromium() -> str:
    """Return the browser to start; without one the test fails where REQUIRE_SERVICES is set, and is skipped elsewhere."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        missing(f"no browser: none of {', '.join(NAMES)} is installed (apt-get install chromium)")
    return found


class Pipe:
    """Commands and events of one browser."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self.handlers: dict[str, list[Callable[[dict[str, Any]], object]]] = defaultdict(list)

    async def command(self, method: str, session: str = "", **params: Any) -> Any:
        number = len(self._waiting) + 1
        self._waiting[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": params} | ({"sessionId": session} if session else {})
        self._writer.write(json.dumps(message).encode() + b"\0")
        return await asyncio.wait_for(self._waiting[number], ANSWER_SECONDS)

    async def listen(self) -> None:
        with suppress(asyncio.IncompleteReadError):
            while True:
                message = json.loads((await self._reader.readuntil(b"\0"))[:-1])
                if "id" not in message:
                    for handler in self.handlers[message["method"]]:
                        handler(message["params"])
                elif "error" in message:
                    self._waiting[message["id"]].set_exception(RuntimeError(message["error"]["message"]))
                else:
                    self._waiting[message["id"]].set_result(message["result"])


class Page:
    """One page, what it complained about, and what it asked the network for."""

    def __init__(self, pipe: Pipe, session: str) -> None:
        self._pipe, self._session = pipe, session
        self._contexts: dict[str, list[int]] = defaultdict(list)  # by frame, newest last
        self._offers: dict[str, Callable[[Any], Coroutine[Any, Any, None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        pipe.handlers["Runtime.executionContextCreated"].append(self._context_created)
        pipe.handlers["Runtime.exceptionThrown"].append(lambda event: self.complaints.append(json.dumps(event)))
        pipe.handlers["Runtime.consoleAPICalled"].append(lambda event: self.complaints.append(json.dumps(event)))
        pipe.handlers["Log.entryAdded"].append(lambda event: self.complaints.append(json.dumps(event)))
        pipe.handlers["Network.requestWillBeSent"].append(self._request)
        pipe.handlers["Runtime.bindingCalled"].append(self._called)

    def _context_created(self, event: dict[str, Any]) -> None:
        context = event["context"]
        if context["auxData"].get("isDefault"):
            self._contexts[context["auxData"]["frameId"]].append(context["id"])

    def _request(self, event: dict[str, Any]) -> None:
        if not event["request"]["url"].startswith(("about:", "data:")):
            self.requests.append(event["request"]["url"])

    async def send(self, method: str, **params: Any) -> Any:
        return await self._pipe.command(method, self._session, **params)

    async def show(self, html: str) -> None:
        """Open a fresh document with this content, as wide and as light as at the start."""
        self.complaints.clear()
        self.requests.clear()
        await self.prefer("light")
        await self.resize(760, 900)
        frame = (await self.send("Page.getFrameTree"))["frameTree"]["frame"]["id"]
        self._contexts.clear()
        await self.send("Page.navigate", url="about:blank")
        while frame not in self._contexts:  # its event may come after the answer
            await asyncio.sleep(0.01)
        await self.send("Page.setDocumentContent", frameId=frame, html=html)

    async def run(self, script: str, *, frame: bool = False) -> Any:
        """Return the value of a JavaScript expression, waiting if it is a promise; `frame` runs it in the first frame."""
        tree = (await self.send("Page.getFrameTree"))["frameTree"]
        where = tree["childFrames"][0]["frame"]["id"] if frame else tree["frame"]["id"]
        context = {"contextId": self._contexts[where][-1]}
        told = await self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, **context)
        if failed := told.get("exceptionDetails"):
            raise RuntimeError(failed.get("exception", {}).get("description") or failed["text"])
        return told["result"].get("value")

    async def until(self, script: str, *, frame: bool = False) -> None:
        """Wait until a JavaScript expression is true."""
        for _ in range(int(ANSWER_SECONDS * 20)):
            if await self.run(script, frame=frame):
                return
            await asyncio.sleep(0.05)
        raise TimeoutError(f"{script} did not become true")

    async def offer(self, name: str, answer: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
        """Give the page a function `name(text)`; `answer` is called with the parsed text."""
        self._offers[name] = answer
        await self.send("Runtime.addBinding", name=name)

    def _called(self, event: dict[str, Any]) -> None:
        task = asyncio.ensure_future(self._offers[event["name"]](json.loads(event["payload"])))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def press(self, *keys: str) -> None:
        """Press keys one after another: Tab, Shift+Tab, Enter, Space, ArrowDown, Escape, or one letter each."""
        codes = {"Tab": 9, "Enter": 13, "Space": 32, "Escape": 27, "ArrowDown": 40, "ArrowUp": 38}
        for name in keys:
            key = name.removeprefix("Shift+")
            letter = {"Enter": "\r", "Space": " "}.get(key, key if len(key) == 1 else "")
            stroke: dict[str, Any] = {"key": " " if key == "Space" else key, "modifiers": 8 if key != name else 0}
            stroke |= {"windowsVirtualKeyCode": codes[key], "code": key} if key in codes else {}
            kind = {"type": "keyDown", "text": letter} if letter else {"type": "rawKeyDown"}
            await self.send("Input.dispatchKeyEvent", **kind, **stroke)
            await self.send("Input.dispatchKeyEvent", type="keyUp", **stroke)

    async def prefer(self, scheme: str) -> None:
        await self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    async def resize(self, width: int, height: int, scale: float = 1) -> None:
        await self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False)

    async def picture(self, file: Path, *, height: int, width: int) -> None:
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        data = (await self.send("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True))["data"]
        file.write_bytes(base64.b64decode(data))


@asynccontextmanager
async def browser_page() -> AsyncIterator[Page]:
    """Start Chromium with a fresh profile and give its one page."""
    to_browser, from_us = os.pipe()
    to_us, from_browser = os.pipe()

    numbered = f'exec "$@" 3<&{to_browser} 4>&{from_browser}'  # the descriptors that the flag promises
    with TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            "bash", "-c", numbered, "bash", chromium(), *FLAGS, f"--user-data-dir={profile}", "about:blank",
            pass_fds=(to_browser, from_browser), stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_browser)
        os.close(from_browser)
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=64 * 1024 * 1024)
        incoming, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(to_us, "rb"))
        transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(from_us, "wb"))
        pipe = Pipe(reader, asyncio.StreamWriter(transport, protocol, None, loop))
        listening = asyncio.ensure_future(pipe.listen())
        try:
            targets = (await pipe.command("Target.getTargets"))["targetInfos"]
            target = next(target["targetId"] for target in targets if target["type"] == "page")
            session = (await pipe.command("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
            page = Page(pipe, session)
            for domain in ("Page", "Runtime", "Log", "Network"):
                await page.send(f"{domain}.enable")
            yield page
        finally:
            with suppress(Exception):
                await pipe.command("Browser.close")
            await process.wait()
            listening.cancel()
            transport.close()
            incoming.close()
