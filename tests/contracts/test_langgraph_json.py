"""LangGraph's own tooling finds the graphs in `langgraph.json`."""

import importlib
import json
from pathlib import Path

from langgraph.pregel import Pregel
from langgraph_cli.config import validate_config_file

from graphs.server.graph_spec import ChatSpec
from graphs.server.learn_spec import LearnSpec
from graphs.server.night_spec import NightSpec
from tests.contracts.test_imports import ROOT

FILE = ROOT / "langgraph.json"


def test_the_command_of_langgraph_accepts_the_file() -> None:
    assert set(validate_config_file(FILE)["graphs"]) == set(json.loads(FILE.read_text())["graphs"])


def test_every_graph_that_the_service_ships_is_found_and_can_be_drawn() -> None:
    named = json.loads(FILE.read_text())["graphs"]
    assert set(named) == {ChatSpec.name, LearnSpec.name, NightSpec.name}
    for name, entry in named.items():
        path, _, attribute = entry["path"].partition(":")
        assert (ROOT / path).is_file()
        module = importlib.import_module(".".join(Path(path).with_suffix("").parts))
        graph = getattr(module, attribute)()
        assert isinstance(graph, Pregel)
        assert graph.name == name
        assert "__start__" in graph.get_graph().draw_mermaid()
