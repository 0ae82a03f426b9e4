"""Small models and texts that tests of the room share."""

import torch

from mtl_utils.data import Example, Inputs
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn import BiLSTMEncoder, TransformerEncoder
from mtl_utils.sharing import HardSharing, SharedPrivate, Sharing
from mtl_utils.tasks import Classification, Tagging

TOPIC = Classification("topic", ["x", "y", "z"], pooling="mean")
FIRST = Classification("first", ["x", "y"])
TAGS = Tagging("tags", ["a", "b", "c"])
VOCABULARY, WIDTH = 30, 16


def transformer(dtype=torch.float64, layers=2) -> MultiTaskModel:
    torch.manual_seed(0)
    encoder = TransformerEncoder(VOCABULARY, WIDTH, layers, 4, dropout=0.2)
    return MultiTaskModel(HardSharing(encoder), [TOPIC, FIRST, TAGS]).to(dtype).train()


def bilstm(dtype=torch.float64) -> MultiTaskModel:
    torch.manual_seed(0)
    encoder = BiLSTMEncoder(VOCABULARY, WIDTH, 2, dropout=0.2)
    return MultiTaskModel(HardSharing(encoder), [TOPIC, FIRST, TAGS]).to(dtype).train()


def shared_private() -> MultiTaskModel:
    torch.manual_seed(0)
    own = {name: BiLSTMEncoder(VOCABULARY, WIDTH) for name in ("topic", "tags")}
    sharing: Sharing = SharedPrivate(BiLSTMEncoder(VOCABULARY, WIDTH), own)
    return MultiTaskModel(sharing, [TOPIC, TAGS]).double()


def texts() -> Inputs:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(1, VOCABULARY, (3, 7), generator=generator)
    mask = torch.arange(7) < torch.tensor([[7], [4], [5]])
    return Inputs(ids * mask, mask)


def examples(count=40) -> list[Example]:
    generator = torch.Generator().manual_seed(2)

    def draw(limit: int, size: int) -> list[int]:
        return torch.randint(limit, (size,), generator=generator).tolist()

    made = []
    for number in range(count):
        length = 3 + number % 5
        ids = [1 + i for i in draw(VOCABULARY - 1, length)]
        labels = {"topic": draw(3, 1)[0], "first": draw(2, 1)[0], "tags": draw(3, length)}
        made.append(Example(ids, labels))
    return made
