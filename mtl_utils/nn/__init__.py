"""Layers, encoders, decoders, and turning scores into text."""

from mtl_utils.nn.alignment import AlignedComparison
from mtl_utils.nn.attention import AdditiveAttention, UniformAttention, masked_softmax
from mtl_utils.nn.cached import CachedEncoder, CacheFullWarning
from mtl_utils.nn.counting import count_multiplications, count_parameters
from mtl_utils.nn.crf import LinearChainCRF
from mtl_utils.nn.decoder import AttentionDecoder, Decoded, Decoder, DecoderState, shift_right
from mtl_utils.nn.decoding import filter_logits, next_token_distribution, sample
from mtl_utils.nn.dropout import Dropout, TokenDropout
from mtl_utils.nn.efficient_net import EfficientNetLite0, packaged_pictures
from mtl_utils.nn.embeddings import CharacterCNN, WordCharacterEmbedding
from mtl_utils.nn.encoder import Encoder, EncoderLayers
from mtl_utils.nn.freezing import Freezable
from mtl_utils.nn.fusion import CrossAttentionFusion, EarlyFusion, LateFusion, PictureFusion
from mtl_utils.nn.gradient_reversal import GradientReversal, reverse_gradient
from mtl_utils.nn.language_embeddings import LanguageEmbedding
from mtl_utils.nn.multi_head_attention import KeyValues, MultiHeadAttention
from mtl_utils.nn.packing import Packing
from mtl_utils.nn.pictures import ConvolutionalPictures, PictureEncoder, PretrainedPictures
from mtl_utils.nn.pointwise import FeedForwardLayers
from mtl_utils.nn.positions import LearnedPositions, SinusoidalPositions
from mtl_utils.nn.prepared_decoder import PreparedDecoder
from mtl_utils.nn.pretrained import PretrainedEncoder, packaged_encoder
from mtl_utils.nn.pretrained_copy import as_transformer_encoder
from mtl_utils.nn.pretrained_layers import PretrainedLayers
from mtl_utils.nn.rebuilding import Rebuildable, Recipe, RemembersArguments
from mtl_utils.nn.recomputing import recompute_layers
from mtl_utils.nn.recurrent import BiLSTMEncoder, LSTMEncoder, ProjectedEncoder
from mtl_utils.nn.recurrent_layers import LSTMLayers, NoLayers
from mtl_utils.nn.search import Hypothesis, beam_search, greedy_search, select_rows
from mtl_utils.nn.self_attentive_decoder import (
    SelfAttended,
    SelfAttentiveDecoder,
    SelfAttentiveState,
)
from mtl_utils.nn.tag_search import viterbi
from mtl_utils.nn.transformer import TransformerEncoder, TransformerStack
from mtl_utils.nn.transformer_decoder import (
    DecoderWeights,
    LayerState,
    TransformerDecoder,
    TransformerDecoderLayer,
    TransformerState,
)
from mtl_utils.nn.transformer_layer import FeedForward, Residual, TransformerLayer

__all__ = [
    "AdditiveAttention",
    "AlignedComparison",
    "AttentionDecoder",
    "BiLSTMEncoder",
    "CacheFullWarning",
    "CachedEncoder",
    "CharacterCNN",
    "ConvolutionalPictures",
    "CrossAttentionFusion",
    "Decoded",
    "Decoder",
    "DecoderState",
    "DecoderWeights",
    "Dropout",
    "EarlyFusion",
    "EfficientNetLite0",
    "Encoder",
    "EncoderLayers",
    "FeedForward",
    "FeedForwardLayers",
    "Freezable",
    "GradientReversal",
    "Hypothesis",
    "KeyValues",
    "LSTMEncoder",
    "LSTMLayers",
    "LanguageEmbedding",
    "LateFusion",
    "LayerState",
    "LearnedPositions",
    "LinearChainCRF",
    "MultiHeadAttention",
    "NoLayers",
    "Packing",
    "PictureEncoder",
    "PictureFusion",
    "PreparedDecoder",
    "PretrainedEncoder",
    "PretrainedLayers",
    "PretrainedPictures",
    "ProjectedEncoder",
    "Rebuildable",
    "Recipe",
    "RemembersArguments",
    "Residual",
    "SelfAttended",
    "SelfAttentiveDecoder",
    "SelfAttentiveState",
    "SinusoidalPositions",
    "TokenDropout",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerLayer",
    "TransformerStack",
    "TransformerState",
    "UniformAttention",
    "WordCharacterEmbedding",
    "as_transformer_encoder",
    "beam_search",
    "count_multiplications",
    "count_parameters",
    "filter_logits",
    "greedy_search",
    "masked_softmax",
    "next_token_distribution",
    "packaged_encoder",
    "recompute_layers",
    "packaged_pictures",
    "reverse_gradient",
    "sample",
    "select_rows",
    "shift_right",
    "viterbi",
]
