"""The graphs: the order of the steps of chatting, learning and forgetting, as LangGraph state machines."""
