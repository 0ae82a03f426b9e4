"""Checks of arguments: what was given, what was expected, said in one way everywhere."""

from mtl_utils.arguments.numeric import (
    check_betas,
    check_cut,
    check_number,
    check_probability,
    check_seed,
    check_sizes,
    check_whole,
)
from mtl_utils.arguments.showing import nearest, shown
from mtl_utils.arguments.tensors import (
    check_broadcast,
    check_device,
    check_fits,
    check_module,
    check_tensor,
)
from mtl_utils.arguments.values import (
    check_callable,
    check_choice,
    check_file_name,
    check_flag,
    check_kind,
    check_names,
    check_path,
    check_several,
    check_strings,
    check_text,
)

__all__ = [
    "check_betas",
    "check_broadcast",
    "check_callable",
    "check_choice",
    "check_cut",
    "check_device",
    "check_file_name",
    "check_fits",
    "check_flag",
    "check_kind",
    "check_module",
    "check_names",
    "check_number",
    "check_path",
    "check_probability",
    "check_seed",
    "check_several",
    "check_sizes",
    "check_strings",
    "check_tensor",
    "check_text",
    "check_whole",
    "nearest",
    "shown",
]
