"""Errors of the training worker; a caller's mistake raises ValueError instead.

TrainingError
+-- CurriculumRefused     the curriculum must not be learned: it is in quarantine, or cannot be evaluated
+-- PreferencesRefused    the preference set must not be trained, or nothing in it can be
+-- BackendUnavailable    the training backend cannot run on this machine
+-- BaseModelUnusable     the base model cannot be loaded, or its chat template cannot be trained with
+-- CardIncomplete        the model card has too few questions to evaluate a lesson
+-- TrainingDiverged      the loss became infinite or NaN
+-- WorkerBusy            another worker already uses this home folder
"""


class TrainingError(Exception):
    """A training problem that an operator must act on; the message says what to do next."""


class CurriculumRefused(TrainingError):
    """The curriculum must not be learned: it is in quarantine, or cannot be evaluated."""


class PreferencesRefused(TrainingError):
    """The preference set must not be trained, or nothing in it can be trained or measured."""


class BackendUnavailable(TrainingError):
    """The training backend cannot run on this machine."""


class BaseModelUnusable(TrainingError):
    """The base model cannot be loaded, or its chat template cannot be trained with."""


class CardIncomplete(TrainingError):
    """The model card has too few questions to evaluate a lesson."""


class TrainingDiverged(TrainingError):
    """The loss became infinite or NaN."""


class WorkerBusy(TrainingError):
    """Another worker already uses this home folder."""
