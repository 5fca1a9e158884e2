"""Control characters: removes escape sequences and their like from text that is printed or logged."""

import re

CONTROLS = re.compile(
    r"(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"  # operating system command: the title, links
    r"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x1b\x9c]*(?:\x1b\\|\x9c)"  # device control string and its like
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # control sequence: colours, cursor, clearing
    r"|\x1b[ -/]*[0-~]?"  # other escapes
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"  # control characters, but for tab and line feed
    r"|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"  # changes of the writing direction
)


def clean(text: str) -> str:
    """The text without escape sequences, control characters and changes of direction.

    Tabs and line feeds stay.
    """
    return CONTROLS.sub("", text)
