"""The graphs as `langgraph.json` names them, for LangGraph's own tooling: it finds, lists and draws them.

They are compiled without stores and without a checkpointer, which the tooling brings. To run them, with their
stores, start the service: it speaks LangGraph's API itself.
"""

from typing import Any

from langgraph.graph.state import CompiledStateGraph

from graphs import chat as chat_graph
from graphs import learn as learn_graph
from graphs import night as night_graph
from graphs.state import Limits

Graph = CompiledStateGraph[Any, Any, Any, Any]


def chat() -> Graph:
    """The graph of a chat turn."""
    return chat_graph.build().compile(name="chat")


def learn() -> Graph:
    """The graph of a learn run."""
    return learn_graph.build(Limits()).compile(name="learn")


def night() -> Graph:
    """The graph of a night."""
    return night_graph.build(Limits()).compile(name="night")
