"""Python source with its comments, texts and keywords marked."""

from markupsafe import Markup, escape
from pygments.lexers.python import PythonLexer
from pygments.token import Comment, Keyword, Name, Operator, String

CLASSES = (
    (Comment, "c"),
    (String, "s"),
    (Keyword, "k"),
    (Operator.Word, "k"),
    (Name.Function, "f"),
)


def highlighted(source: str) -> Markup:
    """The source as HTML, every character of it escaped."""
    parts = []
    for kind, text in PythonLexer(stripnl=False, ensurenl=False).get_tokens(source):
        css = next((css for parent, css in CLASSES if kind in parent), "")
        shown = escape(text)
        parts.append(Markup('<span class="{}">{}</span>').format(css, shown) if css else shown)
    return Markup("").join(parts)
