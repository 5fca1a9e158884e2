"""The trainer's errors; what a caller did wrong is a ValueError instead.

TrainingError
+-- CurriculumRefused     the curriculum must not be learned from: quarantined, or nothing to teach
+-- BackendUnavailable    the training backend cannot run on this machine
+-- BaseModelUnusable     the base model cannot be loaded, or cannot be taught in its own chat template
+-- CardIncomplete        the model's card holds too little to measure a lesson by
+-- TrainingDiverged      the loss is no longer a number
+-- WorkerBusy            another worker already serves this home folder
"""


class TrainingError(Exception):
    """Something an operator must act on; the message says what to do next."""


class CurriculumRefused(TrainingError):
    """The curriculum must not be learned from."""


class BackendUnavailable(TrainingError):
    """The training backend cannot run on this machine."""


class BaseModelUnusable(TrainingError):
    """The base model cannot be loaded, or cannot be taught in its own chat template."""


class CardIncomplete(TrainingError):
    """The model's card holds too little to measure a lesson by."""


class TrainingDiverged(TrainingError):
    """The loss is no longer a number."""


class WorkerBusy(TrainingError):
    """Another worker already serves this home folder."""
