"""Which pages of the web are worth reading: long enough, in the right language, and not behind a wall."""

from memory.errors import IngestError
from memory.ingest.loaders.base import Loaded
from memory.language.boilerplate import boilerplate_share
from memory.language.text import words

MIN_WORDS = 60
"""Words of main text; error pages, consent forms and list pages have fewer."""
MAX_BOILERPLATE = 0.3
"""Share of sentences about cookies, log-ins and the like; on an article's page it is a few per cent."""


def require_good_page(source: str, page: Loaded, *, language: str) -> None:
    """Raises IngestError with the reason if the page is not worth reading."""
    count = len(words(page.text))
    if page.paywalled:
        raise IngestError(f"{source}: behind a paywall, as the page itself says")
    if count < MIN_WORDS:
        raise IngestError(f"{source}: only {count} words of text, as error pages and walls have")
    if (share := boilerplate_share(page.text)) > MAX_BOILERPLATE:
        raise IngestError(f"{source}: {share:.0%} of its sentences are about cookies, log-ins and the like")
    if page.language != language:
        raise IngestError(f"{source}: in another language ({page.language or 'unknown'})")
