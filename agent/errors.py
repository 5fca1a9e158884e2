"""Errors of models and steps; a caller's mistake is a ValueError instead.

AgentError
+-- EngineError
|   +-- EngineUnavailable     the engine cannot be reached or started
|   +-- AdapterNotLoaded      that adapter is not loaded in the engine
|   +-- AdapterRefused        the engine will not load that adapter
|   +-- PromptTooLong         the prompt does not fit into the model's context
|   +-- CanaryFailed          a loaded adapter does not behave as evaluation saw it
+-- ModelError
|   +-- UnknownModel          no model of that name was added
|   +-- NoModelCard           the model was never studied, so nothing is known about it
|   +-- BadModelCard          the model's card cannot be read, or is of other weights
|   +-- ModelRefused          the model cannot be adopted or served: no model folder, wrong digest, no-go
|   +-- NotTeachable          the model's study found it unfit for lessons
+-- TeacherError              a remote teacher failed or answered nonsense
"""


class AgentError(Exception):
    """Something an operator must act on; the message says what to do next."""


class EngineError(AgentError):
    """The model engine could not do what was asked."""


class EngineUnavailable(EngineError):
    """The engine cannot be reached or started."""


class AdapterNotLoaded(EngineError):
    """That adapter is not loaded in the engine."""


class AdapterRefused(EngineError):
    """The engine will not load that adapter: missing files, excess rank, wrong base."""


class PromptTooLong(EngineError):
    """The prompt does not fit into the model's context."""


class CanaryFailed(EngineError):
    """A loaded adapter does not behave as evaluation saw it, so it is not served."""


class ModelError(AgentError):
    """A base model cannot be used as it is."""


class UnknownModel(ModelError):
    """No model of that name was added."""


class NoModelCard(ModelError):
    """The model was never studied, so nothing is known about it."""


class BadModelCard(ModelError):
    """The model's card cannot be read, or is of other weights."""


class ModelRefused(ModelError):
    """The model cannot be adopted or served: no model folder, wrong digest, no chat template, no-go."""


class NotTeachable(ModelError):
    """The model's study found it unfit for lessons."""


class TeacherError(AgentError):
    """A remote teacher failed, or answered something that is not a curriculum."""
