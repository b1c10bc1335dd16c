"""Files that a user drops on a page."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.async_api import JSHandle, Page

    from tests.browser.library import Card

TRANSFER = """
(files) => {
  const transfer = new DataTransfer();
  for (const { name, type, content } of files) {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type }));
  }
  return transfer;
}
"""
COPY = """
async (content) => {
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  const blob = new Blob([bytes], { type: "image/png" });
  await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
}
"""


@dataclass(frozen=True, slots=True)
class File:
    """A file on the user's own machine."""

    name: str
    type: str
    content: bytes

    @classmethod
    def of(cls, card: Card) -> File:
        return cls(card.name, "image/jpeg", card.content)


async def drag(page: Page, files: Sequence[File]) -> JSHandle:
    """Bring files over the page, and return what is held."""
    held = await page.evaluate_handle(
        TRANSFER,
        [
            {
                "name": file.name,
                "type": file.type,
                "content": base64.b64encode(file.content).decode(),
            }
            for file in files
        ],
    )
    await page.locator("body").dispatch_event("dragenter", {"dataTransfer": held})
    return held


async def drop(page: Page, files: Sequence[File], *, on: str) -> None:
    """Drag files over the page, and let them go where ``on`` is written."""
    held = await drag(page, files)
    zone = page.get_by_text(on)
    for step in ("dragover", "drop"):
        await zone.dispatch_event(step, {"dataTransfer": held})


async def paste(page: Page, png: bytes) -> None:
    """Paste a picture that was copied elsewhere."""
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.evaluate(COPY, base64.b64encode(png).decode())
    await page.keyboard.press("Control+V")
