"""Where networks compute."""

import torch

from alarmnet.errors import InputError


def chosen_device(owner: object, device: str) -> torch.device:
    """A device by its name; `"auto"` is a GPU where there is one."""
    try:
        if device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise InputError(
            f"The 'device' parameter of {type(owner).__name__} must be 'auto' or PyTorch's name for a device. "
            f"Got {device!r} instead.",
            code="invalid_parameter",
        ) from error
