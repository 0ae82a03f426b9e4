"""In which precision to compute where the machine is to decide."""

from __future__ import annotations

import torch
from accelerate.utils import parse_flag_from_env  # type: ignore[import-untyped]


def choose_precision(wanted: str) -> str:
    """Say what a wish for precision means on this machine.

    Args:
        wanted: What :class:`mtl_utils.training.TrainerConfig` calls ``mixed_precision``.

    Returns:
        The same, and for ``"auto"`` either ``"bf16"`` or ``"no"``.
    """
    if wanted != "auto":
        return wanted
    return "bf16" if has_bfloat16() else "no"


def has_bfloat16() -> bool:
    """Tell whether the device that trains has instructions for bfloat16.

    Others only imitate it, which takes longer than single precision.
    """
    if torch.cuda.is_available() and not parse_flag_from_env("ACCELERATE_USE_CPU"):
        return torch.cuda.is_bf16_supported(including_emulation=False)
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # older versions lack some
    return any(getattr(torch.cpu, check, bool)() for check in checks)
