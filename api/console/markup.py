"""HTML of the console's pages. Everything that is put into it is escaped here, whoever wrote it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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
    said = speeches(messages, {"user": "You", "assistant": "Nightschool"})
    empty = "" if messages else paragraph("Ask a question.", "quiet")
    return block(f'<div role="log" aria-label="Conversation" class="talk">{said}{empty}</div>')


def speeches(messages: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> str:
    """What each speaker said, under its name."""
    return "".join(
        f'<div class="{text(each["role"])}"><b>{text(names[each["role"]])}</b>{prose(each["content"])}</div>'
        for each in messages
    )


def side_by_side(texts: Mapping[str, str]) -> str:
    """Texts beside each other, each under its name; one below the other on a narrow screen."""
    columns = "".join(
        f'<section aria-label="{text(name)}"><h3>{text(name)}</h3>{prose(each)}</section>'
        for name, each in texts.items()
    )
    return f'<div class="beside">{columns}</div>'


def figures_beside(plots: Mapping[str, str]) -> str:
    """Drawings under their captions, as many beside each other as there is room for."""
    shown = "".join(
        f"<figure><figcaption>{text(caption)}</figcaption>{plot}</figure>" for caption, plot in plots.items()
    )
    return f'<div class="figures">{shown}</div>'


def status(words: object, tone: Tone = "good") -> str:
    """A paragraph that screen readers say when it changes."""
    return f'<p role="status" class="{tone}">{text(words)}</p>'


@dataclass(frozen=True)
class Shade:
    """A piece of a text in one of the shades of the style; `described` says what the shade means."""

    words: str
    step: int
    described: str


def shaded(pieces: Sequence[Shade], *, label: str, apart: bool = False) -> str:
    """A text of shaded pieces. Shades differ by their underlines too, for who cannot tell the colours."""
    between = "  " if apart else ""
    spans = between.join(
        f'<span class="heat{each.step}" title="{text(each.described)}">{text(each.words)}'
        + (f" ({text(each.described)})" if apart else "")
        + "</span>"
        for each in pieces
    )
    return f'<p class="text" role="group" aria-label="{text(label)}">{spans}</p>'


def prose(whole: str) -> str:
    """A text with its line breaks."""
    return f'<p class="text">{text(whole)}</p>'


def folded(summary: object, whole: object) -> str:
    """A text that is opened by its summary."""
    return f"<details><summary>{text(summary)}</summary><pre>{text(whole)}</pre></details>"


def moment(stamp: Any) -> str:
    """A time of the api to the minute, in UTC."""
    return "" if stamp is None else str(stamp)[:16].replace("T", " ")


def _cell(value: object) -> object:
    return "" if value is None else value
