"""The Transformer against torch.nn and transformers, side by side: the same functions and weights.

32 texts of 32 tokens, 256 units, 4 layers, 4 heads, on two threads in single precision. Each is
measured in turns with the others, and the medians are compared.
"""

import time
from collections.abc import Callable, Iterator

import pytest
import side_by_side
import torch
import transformers
from side_by_side import ratio
from torch import Tensor, nn
from transformer_twins import copy_bart, copy_bert_layer, copy_torch_layer

from mtl_utils.nn import TransformerDecoder, TransformerStack, greedy_search
from mtl_utils.training.precision import has_bfloat16

ROWS, LENGTH, WIDTH, LAYERS, HEADS = 32, 32, 256, 4, 4
VOCABULARY, WRITTEN = 4000, 32
MASKS = {
    "no padding": torch.full((ROWS,), LENGTH),
    "padding": torch.linspace(LENGTH // 2, LENGTH, ROWS).round().long(),
}
# Without padding and dropout all spend their time in the same matrix products: the rest is noise.
LEAST = {"no padding": 0.9, "padding": 1.1}

padded = pytest.mark.parametrize("padding", MASKS)
dropouts = pytest.mark.parametrize("dropout", [0.0, 0.1])


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    with side_by_side.threads(2):
        yield


def some_states(padding: str) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randn(ROWS, LENGTH, WIDTH), torch.arange(LENGTH) < MASKS[padding].unsqueeze(1)


def step_of(model: nn.Module, run: Callable[[], Tensor], mask: Tensor) -> Callable[[], Tensor]:
    """Return a step, forward and backward, from states with a gradient to a fixed function."""
    weigh = torch.randn(ROWS, LENGTH, WIDTH, generator=torch.Generator().manual_seed(1))
    weigh = weigh.masked_fill(~mask.unsqueeze(-1), 0.0)

    def step() -> Tensor:
        model.zero_grad()
        loss = (run() * weigh).sum()
        loss.backward()
        return loss.detach()

    return step


@padded
@dropouts
def test_a_training_step_is_no_slower_than_that_of_torch(padding: str, dropout: float) -> None:
    theirs = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(
            WIDTH, HEADS, 4 * WIDTH, dropout, batch_first=True, norm_first=True
        ),
        LAYERS,
        norm=nn.LayerNorm(WIDTH),
        enable_nested_tensor=False,
    )
    ours = TransformerStack(WIDTH, LAYERS, HEADS, dropout=dropout)
    for ours_layer, theirs_layer in zip(ours.layers, theirs.layers, strict=True):
        copy_torch_layer(theirs_layer, ours_layer)
    compare(
        f"training step, dropout {dropout}, {padding}, torch.nn",
        (ours, lambda hidden, mask: ours(hidden, mask)),
        (theirs, lambda hidden, mask: theirs(hidden, src_key_padding_mask=~mask)),
        padding,
    )


@padded
@dropouts
def test_a_training_step_is_no_slower_than_that_of_bert(padding: str, dropout: float) -> None:
    config = transformers.BertConfig(
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=4 * WIDTH,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        layer_norm_eps=1e-5,
    )
    bert = transformers.BertModel(config, add_pooling_layer=False)
    ours = TransformerStack(
        WIDTH,
        LAYERS,
        HEADS,
        None,
        dropout,
        norm_first=False,
        activation="gelu",
        activation_dropout=0.0,
    )
    for ours_layer, theirs_layer in zip(ours.layers, bert.encoder.layer, strict=True):
        copy_bert_layer(theirs_layer, ours_layer)

    def read(hidden: Tensor, mask: Tensor) -> Tensor:
        wide = mask[:, None, None].expand(-1, -1, LENGTH, -1)
        return bert.encoder(hidden, attention_mask=wide).last_hidden_state

    compare(
        f"training step, dropout {dropout}, {padding}, BertModel",
        (ours, lambda hidden, mask: ours(hidden, mask)),
        (bert.encoder, read),
        padding,
    )


Model = tuple[nn.Module, Callable[[Tensor, Tensor], Tensor]]


def compare(name: str, ours: Model, theirs: Model, padding: str) -> None:
    """Check that both compute the same without dropout, and that ours takes no longer."""
    hidden, mask = some_states(padding)
    found = [run(hidden, mask)[mask] for _, run in (evaluating(ours), evaluating(theirs))]
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-4)
    steps = []
    for model, run in (ours, theirs):
        model.train()
        leaf = hidden.clone().requires_grad_()
        steps.append(step_of(model, lambda run=run, leaf=leaf: run(leaf, mask), mask))
    assert ratio(name, *steps) > LEAST[padding]


def evaluating(model: Model) -> Model:
    model[0].eval()
    return model


@pytest.mark.skipif(
    not has_bfloat16(),
    reason="this processor has no bfloat16 instructions",
)
@padded
@dropouts
def test_bfloat16_is_faster_where_the_processor_has_it(padding: str, dropout: float) -> None:
    """What ``mixed_precision="bf16"`` is worth: autocast as the trainer's accelerator does it."""
    torch.manual_seed(0)
    model = TransformerStack(WIDTH, LAYERS, HEADS, dropout=dropout)
    hidden, mask = some_states(padding)
    model.eval()
    with torch.autocast("cpu", torch.bfloat16):
        rough = model(hidden, mask)
    torch.testing.assert_close(rough.float(), model(hidden, mask), rtol=0, atol=0.1)
    model.train()
    leaf = hidden.clone().requires_grad_()
    full = step_of(model, lambda: model(leaf, mask), mask)

    def half() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return model(leaf, mask)

    name = f"training step in bfloat16, dropout {dropout}, {padding}, in float32"
    assert ratio(name, step_of(model, half, mask), full) > 1


def test_greedy_decoding_is_faster_than_generate() -> None:
    """By 1.3 times in processor time on one thread, which a busy machine changes least.

    The seconds on two threads are printed too: there, on a busy machine, they are those of waiting.
    """
    config = transformers.BartConfig(
        vocab_size=VOCABULARY,
        d_model=WIDTH,
        encoder_layers=1,
        decoder_layers=LAYERS,
        encoder_attention_heads=HEADS,
        decoder_attention_heads=HEADS,
        encoder_ffn_dim=4 * WIDTH,
        decoder_ffn_dim=4 * WIDTH,
        max_position_embeddings=64,
        scale_embedding=True,
        forced_eos_token_id=None,
        pad_token_id=0,
        bos_token_id=1,
        decoder_start_token_id=1,
        eos_token_id=2,
    )
    torch.manual_seed(0)
    bart = transformers.BartForConditionalGeneration(config).eval()
    ours = TransformerDecoder(
        VOCABULARY,
        WIDTH,
        LAYERS,
        HEADS,
        max_length=64,
        positions="learned",
        norm_first=False,
        activation="gelu",
        norm_embeddings=True,
    ).eval()
    copy_bart(bart, ours)
    hidden, mask = some_states("padding")
    memory = transformers.modeling_outputs.BaseModelOutput(last_hidden_state=hidden)
    bos_ids = torch.full((ROWS,), 1)

    def generate() -> list[list[int]]:
        written = bart.generate(
            encoder_outputs=memory,
            attention_mask=mask.long(),
            max_new_tokens=WRITTEN,
            min_new_tokens=WRITTEN,
            num_beams=1,
            do_sample=False,
        )
        return written[:, 1:].tolist()

    def search() -> list[list[int]]:
        found = greedy_search(
            ours,
            ours.start(hidden, mask),
            bos_ids,
            eos_id=2,
            max_length=WRITTEN,
            forbidden_ids=(2,),  # so that all rows are written to the limit
        )
        return [list(hypothesis.ids) for hypothesis in found]

    name = f"{ROWS} x {WRITTEN} tokens written"
    with torch.no_grad():
        assert search() == generate()
        ratio(f"{name}, seconds on two threads, BART", search, generate, 5)
        with side_by_side.threads(1):
            found = ratio(
                f"{name}, processor time, BART", search, generate, 21, min, time.process_time
            )
    assert found > 1.3
