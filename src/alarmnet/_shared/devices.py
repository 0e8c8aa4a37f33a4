"""Where networks compute: the devices that this machine has."""

import torch

from alarmnet.errors import InputError


def available_devices() -> list[str]:
    """PyTorch's names of the devices that can be used here."""
    if not torch.accelerator.is_available():
        return ["cpu"]
    kind = torch.accelerator.current_accelerator()
    return ["cpu", *(f"{kind}:{index}" for index in range(torch.accelerator.device_count()))]


def chosen_device(device: object, *, parameter: str) -> torch.device:
    """A device by its name; `"auto"` is a CUDA GPU where there is one. `parameter` begins an error's sentence.

    PyTorch's default type of numbers must be float32: networks are built in it.

    >>> chosen_device("cpu", parameter="--device")
    device(type='cpu')
    """
    if (kind := torch.get_default_dtype()) != torch.float32:
        raise InputError(
            f"PyTorch's default type of numbers is {kind}, and alarmnet needs torch.float32: call "
            "torch.set_default_dtype(torch.float32)",
            code="invalid_parameter",
        )
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    available = available_devices()
    try:
        found = torch.device(device)  # type: ignore[call-overload]
    except (RuntimeError, TypeError):
        found = None
    if found is None or not {found.type, f"{found.type}:{found.index or 0}"} & {*available}:
        raise InputError(
            f"{parameter} must be 'auto' or a device that PyTorch can use here: {', '.join(available)}. "
            f"Got {device!r} instead.",
            code="invalid_parameter",
        )
    return torch.device("cpu") if found.type == "cpu" else found
