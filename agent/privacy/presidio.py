"""Loads Presidio's pattern recognisers without the rest of its package.

Importing the package brings spaCy, and torch and transformers where they are installed: 600 MB, for seven
modules that need none of them. So these are loaded from its folder, with empty packages around them.
"""

import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

NAME = "presidio_analyzer"
PACKAGES = (
    "",
    ".predefined_recognizers",
    ".predefined_recognizers.generic",
    ".predefined_recognizers.country_specific",
    ".predefined_recognizers.country_specific.us",
)
BASES = {
    "AnalysisExplanation": "analysis_explanation",
    "RecognizerResult": "recognizer_result",
    "EntityRecognizer": "entity_recognizer",
    "LocalRecognizer": "local_recognizer",
    "Pattern": "pattern",
    "PatternRecognizer": "pattern_recognizer",
}
"""What recognisers import from the package, in an order in which each finds those before it."""
GENERIC = "predefined_recognizers.generic"
RECOGNIZERS = {
    "EmailRecognizer": f"{GENERIC}.email_recognizer",
    "PhoneRecognizer": f"{GENERIC}.phone_recognizer",
    "IbanRecognizer": f"{GENERIC}.iban_recognizer",
    "IpRecognizer": f"{GENERIC}.ip_recognizer",
    "UsSsnRecognizer": "predefined_recognizers.country_specific.us.us_ssn_recognizer",
    "CryptoRecognizer": f"{GENERIC}.crypto_recognizer",
}


def load_recognizers() -> Mapping[str, Any]:
    """A recogniser of each kind in RECOGNIZERS, by its name. Not safe to call in two threads at once.

    Raises ImportError if Presidio is not installed, or is another version with other modules.
    """
    present = {name: module for name, module in sys.modules.items() if _is_ours(name)}
    try:
        if not present:
            _add_packages()
        classes = {name: getattr(_module(path), name) for name, path in RECOGNIZERS.items()}
    finally:
        for name in [name for name in sys.modules if _is_ours(name)]:
            if name not in present:
                del sys.modules[name]  # so that an import of the whole package finds none of the empty ones
    import tldextract

    suffixes = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)  # its own list: nothing is fetched

    def has_domain(pattern_text: str) -> bool:
        return suffixes(pattern_text).fqdn != ""

    recognizers = {name: recognizer() for name, recognizer in classes.items()}
    recognizers["EmailRecognizer"].validate_result = has_domain
    return recognizers


def _is_ours(module: str) -> bool:
    return module == NAME or module.startswith(f"{NAME}.")


def _module(path: str) -> ModuleType:
    return import_module(f"{NAME}.{path}")


def _add_packages() -> None:
    spec = find_spec(NAME)
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("presidio-analyzer is not installed: reinstall nightschool with its dependencies")
    root = Path(spec.submodule_search_locations[0])
    for package in PACKAGES:
        module = ModuleType(f"{NAME}{package}")
        module.__path__ = [str(root.joinpath(*package.split(".")))]
        sys.modules[module.__name__] = module
    engine = ModuleType(f"{NAME}.nlp_engine")
    engine.__dict__["NlpArtifacts"] = object  # only in annotations
    sys.modules[engine.__name__] = engine
    for name, path in BASES.items():
        sys.modules[NAME].__dict__[name] = getattr(_module(path), name)
