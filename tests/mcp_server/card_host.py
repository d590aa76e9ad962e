"""A small MCP Apps host: a page with the card in a sandboxed frame, which passes its calls on to a real server process."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from mcp import MCPError
from mcp.types import CallToolResult, TextResourceContents

from tests.mcp_server.clients import Tools
from tests.support.browser import Page

CARD = "ui://orchestrator/review"
# What the specification prescribes where a resource declares no domains.
POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "media-src 'self' data:; connect-src 'none'; frame-src 'none'; object-src 'none'; base-uri 'self'"
)
HOST = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Host</title>
<style>html { color-scheme: light dark } body { margin: 0 } iframe { border: 0; width: 100%; height: 200px; display: block }
</style></head>
<body><iframe title="Review" sandbox="allow-scripts"></iframe><script>
const frame = document.querySelector("iframe"), log = [], context = {};
const post = (message) => frame.contentWindow.postMessage({ jsonrpc: "2.0", ...message }, "*");
addEventListener("message", ({ source, data }) => {
  if (source !== frame.contentWindow) return;
  log.push(data);
  if (data.method === "ui/initialize")
    post({ id: data.id, result: { protocolVersion: "2026-01-26", hostInfo: { name: "test", version: "1" },
      hostCapabilities: window.passesOn === false ? {} : { serverTools: {} }, hostContext: context } });
  else if (data.method === "ui/notifications/size-changed") frame.style.height = data.params.height + "px";
  else if (data.method === "tools/call") toServer(JSON.stringify(data));
  else if (data.method && data.id !== undefined) post({ id: data.id, result: {} });
});
</script></body></html>"""
READY = 'document.getElementById("card").getAttribute("aria-busy") === "false"'


class Card:
    """The card as its user and its host see it."""

    def __init__(self, page: Page, tools: Tools) -> None:
        self.page, self.tools = page, tools
        self.calls: list[dict[str, Any]] = []
        self.server: Callable[[str, dict[str, Any]], Awaitable[CallToolResult]] = tools.client.call_tool

    async def open(self, html: str, *, passes_on: bool = True, **context: Any) -> None:
        """Show the card in the host and wait until it has shaken hands."""
        await self.page.show(HOST)
        await self.page.until("typeof post === 'function'")
        page = html.replace("<head>", f'<head><meta http-equiv="Content-Security-Policy" content="{POLICY}">', 1)
        await self.page.run(f"passesOn = {json.dumps(passes_on)}, Object.assign(context, {json.dumps(context)}), 0")
        await self.page.run(f"frame.srcdoc = {json.dumps(page)}, 0")
        await self.page.until('log.some(({ method }) => method === "ui/notifications/initialized")')

    async def answer(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool as the model does, give the answer to the card, and return its structure."""
        result = await self.tools.call(tool, **arguments)
        await self.notify("tool-input", arguments=arguments)
        await self.notify("tool-result", **as_json(result))
        await self.settled()
        return result.structured_content or {}

    async def notify(self, event: str, **params: Any) -> None:
        await self.post({"method": f"ui/notifications/{event}", "params": params})

    async def pass_on(self, message: dict[str, Any]) -> None:
        called = message["params"]
        self.calls.append(called)
        try:
            answer: dict[str, Any] = {"result": as_json(await self.server(called["name"], called["arguments"]))}
        except (MCPError, ConnectionError) as lost:
            answer = {"error": {"code": -32000, "message": str(lost)}}
        await self.post({"id": message["id"], **answer})

    async def post(self, message: dict[str, Any]) -> None:
        """Send the card a message, as JSON: a literal of JavaScript would take some keys for more than keys."""
        await self.page.run(f"post(JSON.parse({json.dumps(json.dumps(message))}))")

    async def settled(self) -> None:
        """Wait until the card has done all it was told to."""
        await self.page.run("new Promise(resolve => setTimeout(resolve, 30))", frame=True)
        await self.page.until(READY, frame=True)

    async def see(self, script: str) -> Any:
        return await self.page.run(script, frame=True)

    async def text(self, selector: str = "main") -> str:
        """Return what a part of the card says, hidden parts left out."""
        told: str = await self.see(f"document.querySelector({json.dumps(selector)}).innerText")
        return told

    async def click(self, selector: str) -> None:
        await self.see(f"document.querySelector({json.dumps(selector)}).click()")
        await self.settled()

    async def row(self, title: str) -> str:
        """Return the selector of the checkbox of the change whose row begins with this item's title."""
        script = f"""[...document.querySelectorAll("#changes li:has(> .row)")]
            .find(item => item.querySelector(".item").textContent === {json.dumps(title)}).querySelector("input").id"""
        return f"#{await self.see(f'CSS.escape({script})')}"

    async def dropped(self) -> list[str]:
        titles: list[str] = await self.see(
            """[...document.querySelectorAll("li.dropped")].map(item => item.querySelector(".item").textContent)"""
        )
        return titles

    async def focused(self) -> str:
        return str(await self.see("document.activeElement.id || document.activeElement.textContent"))

    async def state(self) -> str:
        return str(await self.see('document.getElementById("state").dataset.state'))

    async def told_model(self) -> list[str]:
        script = 'log.filter(({ method }) => method === "ui/update-model-context").map(({ params }) => params.content[0].text)'
        told: list[str] = await self.page.run(script)
        return told


def as_json(result: CallToolResult) -> dict[str, Any]:
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)


async def card_html(tools: Tools) -> str:
    [content] = (await tools.client.read_resource(CARD)).contents
    assert isinstance(content, TextResourceContents)
    return content.text


@asynccontextmanager
async def card_of(tools: Tools, page: Page) -> AsyncIterator[Card]:
    """Show the card of this server in `page`; at the end it has used no network, and the console is empty."""
    card = Card(page, tools)
    await page.offer("toServer", card.pass_on)
    await card.open(await card_html(tools), locale="en-GB", timeZone="UTC")
    yield card
    assert page.requests == []
    assert page.complaints == []
