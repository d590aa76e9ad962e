"""Text of users inside a Mermaid diagram."""

import re

from core.patches.text import safe

MAX_LABEL = 80  # characters of a title in a picture

# Whatever means something to one of Mermaid's grammars, to HTML, Markdown or KaTeX in a label, or to the directives that it
# looks for anywhere in a diagram: all of ASCII but letters, digits and a few marks.
_SYNTAX = re.compile(r"[\x00-\x7f]")
_PLAIN = re.compile(r"[A-Za-z0-9 .,()/+?!-]")


def label(text: str) -> str:
    """Return a title that a diagram shows as it is and never reads: signs as entity codes, cut after 80 letters."""
    shown = text if len(text) <= MAX_LABEL else f"{text[: MAX_LABEL - 1]}…"
    return _SYNTAX.sub(lambda sign: sign[0] if _PLAIN.match(sign[0]) else f"#{ord(sign[0])};", safe(shown))
