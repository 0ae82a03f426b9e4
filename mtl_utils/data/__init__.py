"""How text becomes tensors: vocabularies, tokenizers, examples, batches."""

from mtl_utils.data.batch import MISSING_LABEL, Batch, Inputs, has_label
from mtl_utils.data.batching import BatchLoader
from mtl_utils.data.byte_pairs import BytePairTokenizer
from mtl_utils.data.class_labels import named_labels
from mtl_utils.data.encoded_text import EncodedText, encode_pair, encode_text
from mtl_utils.data.examples import Example, collate
from mtl_utils.data.fertility import Fertility, fertility
from mtl_utils.data.loading import endless
from mtl_utils.data.pictures import Pixels, picture_pixels
from mtl_utils.data.pretrained_tokenizer import PretrainedTokenizer
from mtl_utils.data.splitting import TextWord, split_words
from mtl_utils.data.tokenization import Pieces, SpecialTokens, Tokenizer, WordTokenizer
from mtl_utils.data.vocabulary import Vocabulary
from mtl_utils.data.windows import Window, encode_windows

__all__ = [
    "MISSING_LABEL",
    "Batch",
    "BatchLoader",
    "BytePairTokenizer",
    "EncodedText",
    "Example",
    "Fertility",
    "Inputs",
    "Pieces",
    "Pixels",
    "PretrainedTokenizer",
    "SpecialTokens",
    "TextWord",
    "Tokenizer",
    "Vocabulary",
    "Window",
    "WordTokenizer",
    "collate",
    "encode_pair",
    "encode_text",
    "encode_windows",
    "endless",
    "fertility",
    "has_label",
    "named_labels",
    "picture_pixels",
    "split_words",
]
