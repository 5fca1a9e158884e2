"""HTML of the console's pages. Everything that is put into it is escaped here, whoever wrote it."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Literal

from memory.language.control_characters import clean

Tone = Literal["good", "doubt", "bad", "quiet", ""]


def text(value: object) -> str:
    """The value as text of a page, without control characters and changes of the writing direction."""
    return escape(clean(str(value)))


def block(*parts: str) -> str:
    """Parts of a page, in the console's style."""
    return f'<div class="ns">{"".join(parts)}</div>'


def paragraph(words: object, tone: Tone = "") -> str:
    """One paragraph; the tone colours its edge, and its words say the same."""
    return f'<p class="{tone}">{text(words)}</p>'


def heading(words: object) -> str:
    """A heading below the page's own."""
    return f"<h3>{text(words)}</h3>"


def items(entries: Iterable[object], *, numbered: bool = False) -> str:
    """A list."""
    tag = "ol" if numbered else "ul"
    return f"<{tag}>{''.join(f'<li>{text(entry)}</li>' for entry in entries)}</{tag}>"


def fields(values: Mapping[str, object]) -> str:
    """Names with their values; those without one are left out."""
    shown = {name: value for name, value in values.items() if value not in (None, "")}
    rows = "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in shown.items())
    return f"<dl>{rows}</dl>"


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table that scrolls sideways where it is too wide; a paragraph where it has no rows."""
    lines = ["".join(f"<td>{text(_cell(value))}</td>" for value in row) for row in rows]
    if not lines:
        return paragraph(f"{caption}: none yet.", "quiet")
    head = "".join(f'<th scope="col">{text(column)}</th>' for column in columns)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return (
        f'<div class="scroll" role="region" aria-label="{text(caption)}" tabindex="0"><table>'
        f"<caption>{text(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def marked(whole: str, start: int, end: int) -> str:
    """A text in which the characters from `start` to `end` are marked."""
    before, found, after = whole[:start], whole[start:end], whole[end:]
    return f'<p class="text">{text(before)}<mark>{text(found)}</mark>{text(after)}</p>'


def dialogue(messages: Sequence[Mapping[str, Any]]) -> str:
    """A conversation; screen readers say what is added to it."""
    names = {"user": "You", "assistant": "Nightschool"}
    said = "".join(
        f'<div class="{text(each["role"])}"><b>{names[each["role"]]}</b>{prose(each["content"])}</div>'
        for each in messages
    )
    empty = "" if messages else paragraph("Ask a question.", "quiet")
    return block(f'<div role="log" aria-label="Conversation" class="talk">{said}{empty}</div>')


def prose(whole: str) -> str:
    """A text with its line breaks."""
    return f'<p class="text">{text(whole)}</p>'


def moment(stamp: Any) -> str:
    """A time of the api to the minute, in UTC."""
    return "" if stamp is None else str(stamp)[:16].replace("T", " ")


def _cell(value: object) -> object:
    return "" if value is None else value
