"""Chooses the training backend for this machine."""

from training.backends.base import Trainer


def choose_trainer() -> Trainer:
    """Unsloth on a machine with an NVIDIA GPU, else PEFT; imports only the chosen one.

    Raises BackendUnavailable on a GPU machine without Unsloth, instead of silently training on the CPU.
    """
    import torch

    if torch.cuda.is_available():
        from training.backends.unsloth import require_unsloth
        from training.backends.unsloth import train as train_on_gpu

        require_unsloth()
        return train_on_gpu
    from training.backends.peft import train

    return train
