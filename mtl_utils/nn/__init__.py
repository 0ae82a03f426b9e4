"""Layers, encoders and decoding."""

from mtl_utils.nn.decoding import filter_logits, next_token_distribution, sample

__all__ = ["filter_logits", "next_token_distribution", "sample"]
