"""The error tree of the agent package; a caller's mistake is a ValueError instead.

AgentError
+-- EngineError
|   +-- EngineUnavailable     the engine cannot be reached or started
|   |   +-- RequestFailed     the engine answers, and failed on this request
|   +-- AdapterNotLoaded      the adapter is not loaded in the engine
|   +-- AdapterRefused        the engine refuses to load the adapter
|   +-- PromptTooLong         the prompt does not fit into the model's context
|   +-- CanaryFailed          a loaded adapter answers its canary differently than in evaluation
+-- ModelError
|   +-- UnknownModel          no model with that name was added
|   +-- NoModelCard           the model was never studied and has no card
|   +-- BadModelCard          the model's card cannot be read, or belongs to other weights
|   +-- ModelRefused          the model cannot be added or served: no model folder, wrong digest, no-go
|   +-- NotTeachable          the model's study found that it cannot be taught
+-- GrowthError
|   +-- NothingToGrow         no domain has lessons to move from one base model to another
|   +-- GrowthRefused         lessons cannot be moved between these base models, or not now
+-- TeacherError              a remote teacher failed or sent an unusable reply
"""


class AgentError(Exception):
    """Something an operator must act on; the message says what to do next."""


class EngineError(AgentError):
    """The model engine failed."""


class EngineUnavailable(EngineError):
    """The engine cannot be reached or started."""


class RequestFailed(EngineUnavailable):
    """The engine answers, and failed on this request: another one may succeed."""


class AdapterNotLoaded(EngineError):
    """The adapter is not loaded in the engine."""


class AdapterRefused(EngineError):
    """The engine refuses to load the adapter: missing files, rank too high, wrong base model."""


class PromptTooLong(EngineError):
    """The prompt does not fit into the model's context."""


class CanaryFailed(EngineError):
    """A loaded adapter answers its canary differently than in evaluation, so it is not served."""


class ModelError(AgentError):
    """A base model cannot be used."""


class UnknownModel(ModelError):
    """No model with that name was added."""


class NoModelCard(ModelError):
    """The model was never studied and has no card."""


class BadModelCard(ModelError):
    """The model's card cannot be read, or belongs to other weights."""


class ModelRefused(ModelError):
    """The model cannot be added or served: no model folder, wrong digest, no chat template, no-go."""


class ModelTaskRunning(ModelError):
    """A model is being added or studied, and two at once would only take each other's time."""


class NotTeachable(ModelError):
    """The model's study found that it cannot be taught."""


class GrowthError(AgentError):
    """What one base model has learned cannot be moved to another."""


class NothingToGrow(GrowthError):
    """No domain has lessons to move from one base model to another."""


class GrowthRefused(GrowthError):
    """Lessons cannot be moved between these base models, or not now."""


class TeacherError(AgentError):
    """A remote teacher failed, or sent a reply that is not a curriculum."""
