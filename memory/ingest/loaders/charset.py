"""Decodes text: by byte order mark, declared charset, UTF-8, or detection, in this order."""

import codecs
import re
from typing import NamedTuple

from memory.errors import IngestError
from memory.ingest.loaders.base import Source

MAX_CONTROL_SHARE = 0.01
"""Share of control characters above which decoded bytes count as binary."""
SAMPLE = 200_000
"""Bytes that the charset is detected from."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CANDIDATES = [
    "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "koi8_r",
    "gb18030", "big5", "cp932", "euc_jp", "euc_kr",
]  # fmt: skip
"""Encodings of the web (WHATWG) beside UTF-8: charset-normalizer would also find those of old computers."""
_SUPERSETS = {
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "iso8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
}
"""Browsers read these as their supersets, because writers mean those (WHATWG Encoding Standard)."""
_NO_CHARSETS = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape"})
"""Codecs of Python that no document is written in."""
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


class Decoded(NamedTuple):
    """Text, and the encoding that it was in."""

    text: str
    charset: str


def decode(source: Source, meta: str = "") -> Decoded:
    """The text of a document whose own markup declares `meta`. Raises IngestError if it is binary.

    A declared charset that does not fit the bytes is passed over, as browsers do with unknown ones.
    """
    data = source.data
    tried = [name for mark, name in _MARKS if data.startswith(mark)][:1]
    tried += [name for name in map(_codec, (source.charset, meta)) if name]
    for charset in (*tried, "utf-8"):
        try:
            return _checked(source, Decoded(data.decode(charset), charset))
        except UnicodeDecodeError:
            continue
    if b"\x00" in data[:8192]:
        raise IngestError(f"{source.name}: the file is binary, not text")
    return _checked(source, _detected(source))


def _detected(source: Source) -> Decoded:
    from charset_normalizer import from_bytes  # here because the import takes time and few files need it

    best = from_bytes(source.data[:SAMPLE], cp_isolation=_CANDIDATES).best()
    if best is None:
        raise IngestError(
            f"{source.name}: the file is not valid UTF-8, and its encoding cannot be told: save it as UTF-8"
        )
    western = "cp1252" in best.could_be_from_charset
    charset = "cp1252" if western else best.encoding
    return Decoded(source.data.decode(charset, "replace"), charset)


def _codec(charset: str) -> str:
    """Python's name of a declared charset; empty if there is none."""
    charset = charset.strip("\"' ")
    try:
        b"a".decode(charset)  # refuses Python's codecs of bytes, such as zlib
    except UnicodeError:
        pass  # it is an encoding, in which this is no letter
    except (LookupError, ValueError):
        return ""
    name = codecs.lookup(charset).name
    return "" if name in _NO_CHARSETS else _SUPERSETS.get(name, name)


def _checked(source: Source, decoded: Decoded) -> Decoded:
    if len(_CONTROL.findall(decoded.text)) > MAX_CONTROL_SHARE * len(decoded.text):
        raise IngestError(f"{source.name}: the file is binary, not text")
    return decoded
