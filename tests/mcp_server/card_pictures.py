"""Pictures of the review card for the documentation, taken from the card itself. Take them anew after a change of its looks:

python -m tests.mcp_server.card_pictures
"""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mcp_server.card_host import Card, card_html, card_of
from tests.mcp_server.card_proposal import PROPOSAL
from tests.mcp_server.clients import memory_tools
from tests.mcp_server.website import PLAN
from tests.support.browser import browser_page

FOLDER = Path(__file__).parents[2] / "docs" / "images"
WIDTH = 760


async def take(card: Card, name: str) -> None:
    height = int(await card.page.run("frame.offsetHeight"))
    await card.page.picture(FOLDER / f"{name}.png", width=WIDTH, height=height)


async def show(card: Card, theme: str) -> None:
    await card.open(await card_html(card.tools), theme=theme, locale="en-GB", timeZone="UTC")
    why = "The last release fell over at 200 users."
    await card.answer("propose_patch_set", patches=PROPOSAL, summary="Load test before the release", rationale=why)


async def main() -> None:
    with TemporaryDirectory() as folder:
        async with browser_page() as page, memory_tools(Path(folder)) as tools, card_of(tools, page) as card:
            await tools.ask("apply_patch_set", patches=PLAN)
            await show(card, "light")
            await take(card, "review-card-light")
            await show(card, "dark")
            await card.click(await card.row("Write the scenarios"))
            await take(card, "review-card-dark")
            late = {"op": "update_task", "task": "WEB-3", "fields": {"due_date": "2031-03-20"}}
            await show(card, "light")
            await tools.ask("apply_patch_set", patches=[late])
            await card.click("#apply")
            await take(card, "review-card-out-of-date")


if __name__ == "__main__":
    asyncio.run(main())
