"""Text of anybody's for Markdown, without any markup of its own."""

import html

from labkit.errors import visible

# Characters that mean something in Markdown, and what shows them: behind a mark of zero width no
# name and no number is looked up.
MARKUP = {c: f"\\{c}" for c in "\\`*_[]|~"} | {"#": "\\#\u200b", "@": "@\u200b", "$": "&#36;"}


def markdown(text: str) -> str:
    """Text for one cell of a Markdown table, without any markup of its own.

    Nor what GitHub makes of plain text: mentions, references, links, formulas.
    """
    line = html.escape(visible(" ".join(text.split())), quote=False)
    shown = "".join(MARKUP.get(c, c) for c in line)
    return shown.replace("://", "&#58;//").replace("www.", "www&#46;")
