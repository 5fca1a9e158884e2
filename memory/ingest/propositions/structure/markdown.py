"""Strips Markdown marks from text, and keeps the span of what remains."""

import re
from collections.abc import Iterator

_TAGS = "a|b|i|em|strong|code|kbd|sup|sub|span|small|p|u"
_MARK = re.compile(
    r"(?P<drop>!\[[^\[\]\n]{0,200}\]\([^()\s]{0,400}\)|<!--[^<>]{0,200}-->|\[\^[^\]\s]{1,20}\]"
    rf"|\{{:?[ ]?[#.][^{{}}\n]{{0,80}}\}}|</?(?:{_TAGS})(?: [^<>\n]{{0,100}})?>)"
    r"|\[(?P<link>[^\[\]\n]{1,200})\](?:\([^()\n]{0,400}(?:\([^()\n]{0,80}\)[^()\n]{0,80})?\)|\[[^\[\]\n]{0,80}\])"
    r"|(?P<ticks>`{1,2})(?P<code>[^`\n]{1,300})(?P=ticks)"
    r"|(?P<gap><br ?/?>|\\$)|\\(?P<escaped>[|*_`<>\[\]#\\-])"
    r"|(?P<emphasis>(?<!\s)\*{1,3}|\*{1,3}(?!\s)|(?<!\w)_{1,2}(?=[\w(`])|(?<=[\w.!?)`])_{1,2}(?!\w))"
)


def _visible(text: str, start: int, end: int, code: bool) -> Iterator[tuple[str, int, int]]:
    """The visible pieces with their spans; with `code`, code keeps its backticks."""
    at = start
    for mark in _MARK.finditer(text, start, end):
        yield text[at : mark.start()], at, mark.start()
        at = mark.end()
        if mark["link"] is not None:
            yield from _visible(text, *mark.span("link"), code)
        elif mark["code"] is not None:
            inner = mark["code"].replace("\\|", "|").strip()
            yield f"`{inner}`" if code else inner, *mark.span("code")
        elif mark["escaped"] is not None:
            yield mark["escaped"], *mark.span("escaped")
        elif mark["gap"] is not None:
            yield " ", at, at
    yield text[at:end], at, end


def plain(text: str, start: int, end: int, code: bool = False) -> tuple[str, tuple[int, int]]:
    """The visible text of the span, and the span without outer marks and white space."""
    pieces = [piece for piece in _visible(text, start, end, code) if piece[0].strip()]
    if not pieces:
        return "", (start, start)
    first, last = pieces[0], pieces[-1]
    begin = first[1] + len(text[first[1] : first[2]]) - len(text[first[1] : first[2]].lstrip())
    stop = last[1] + len(text[last[1] : last[2]].rstrip())
    return " ".join("".join(piece[0] for piece in _visible(text, start, end, code)).split()), (begin, stop)


def trimmed(value: str, span: tuple[int, int]) -> tuple[str, tuple[int, int]]:
    """A value and its span, without a final full stop or a reference such as `(see below)`."""
    whole = re.sub(r" ?\((?:see|cf\.?) [^()]{1,80}\)\.?$", "", value).rstrip(";, ")
    whole = whole if whole.endswith("etc.") else whole.removesuffix(".")
    if "(" in value[len(whole) :]:
        return whole, span  # a reference may hold a link, so the span stays as it is
    return whole, (span[0], span[1] - len(value) + len(whole))
