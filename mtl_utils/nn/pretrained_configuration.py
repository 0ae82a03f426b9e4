"""Configurations of pretrained models as plain data: what a model is made of, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Entries that name code or files elsewhere, or say which code is to run. A model is made of its
#: sizes and settings alone; none of these changes what it computes.
_REFERENCES = frozenset(
    {
        *("auto_map", "custom_pipelines", "name_or_path", "_name_or_path"),
        *("backbone", "use_pretrained_backbone", "use_timm_backbone", "backbone_kwargs"),
        *("attn_implementation", "_attn_implementation", "_attn_implementation_internal"),
        *("experts_implementation", "_experts_implementation", "_experts_implementation_internal"),
        *("quantization_config", "trust_remote_code"),
    }
)


def without_references(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration without entries that lead out of it, in its parts too.

    Args:
        configuration: As JSON has it.

    Returns:
        A copy.
    """
    return {
        name: without_references(value) if isinstance(value, Mapping) else value
        for name, value in configuration.items()
        if name not in _REFERENCES
    }
