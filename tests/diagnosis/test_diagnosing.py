"""The diagnosis as a whole: what it costs, what it leaves alone, and what it says where it must."""

import copy
import random

import numpy as np
import pytest
import torch

from mtl_utils import data, models, nn, objectives, sharing, tasks
from mtl_utils.diagnosis import BUDGET, diagnose
from mtl_utils.training import Trainer, TrainerConfig

COLOURS = ("red", "green", "blue")
WORDS = ("a", "the", "old", "new", "door", "car", "roof", "near", "far", "small")
VOCABULARY = data.Vocabulary.from_tokens([*COLOURS, *WORDS])


def rows_of(count, seed, wrong=0.0):
    """Sentences with one colour: ``colour`` is which, ``where`` its place in the sentence."""
    generator = random.Random(seed)
    found = []
    for _ in range(count):
        words = generator.choices(WORDS, k=5)
        colour, place = generator.randrange(3), generator.randrange(5)
        words[place] = COLOURS[colour]
        said = generator.randrange(3) if generator.random() < wrong else colour
        where = [int(n == place) for n in range(5)]
        labels = {"colour": said, "where": where}
        found.append(data.Example(VOCABULARY.encode(words), labels))
    return found


def model_of(width=8):
    torch.manual_seed(0)
    goals = [
        tasks.Classification("colour", COLOURS, pooling="mean", scale="uniform"),
        tasks.Tagging("where", ["O", "C"], scheme="plain", scale="uniform"),
    ]
    encoder = nn.BiLSTMEncoder(len(VOCABULARY), width, dropout=0.0)
    return models.MultiTaskModel(sharing.HardSharing(encoder), goals)


def found_of(train, model=None, steps=40, **settings):
    config = TrainerConfig(max_steps=steps, epochs=1000, learning_rate=0.05)
    settings = {"config": config, "batch_size": 16, "progress": False, **settings}
    return diagnose(model or model_of(), train, rows_of(48, 1), **settings)


@pytest.fixture(scope="module")
def harmless():
    model = model_of()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state(), np.random.get_state()[1].copy()
    found = found_of(rows_of(160, 0), model)
    same = all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    kept = torch.equal(state[0], torch.get_rng_state())
    return found, same and kept and (state[1] == np.random.get_state()[1]).all() and model.training


def test_three_trainings_are_enough_and_the_model_stays_as_it_is(harmless):
    found, untouched = harmless
    assert untouched
    assert 0 < found.trainings <= BUDGET
    assert found.steps == 40
    # Which colour and where it stands are two questions; nothing else is wrong with them.
    assert set(found.causes.values()) <= {None, "unrelated task"}


def test_everything_was_measured(harmless):
    for evidence in harmless[0].evidence.values():
        empty = [name for name, value in vars(evidence).items() if value is None]
        assert empty == ["equalised"]  # no task is faint
    assert sum(e.share for e in harmless[0].evidence.values()) == pytest.approx(2)
    assert harmless[0].untested == {}


def test_the_same_call_finds_the_same(harmless):
    assert found_of(rows_of(160, 0)) == harmless[0]


def test_wrong_labels_are_found_in_their_task():
    found = found_of(rows_of(240, 0, wrong=0.6))
    assert found.causes["colour"] == "label noise"
    assert found.causes["where"] != "label noise"


def test_a_drowned_loss_is_found_in_its_task():
    weights = objectives.FixedWeights({"colour": 1.0, "where": 1e-4})
    found = found_of(rows_of(160, 0), balancer=weights, steps=24)
    assert found.causes["where"] == "drowned loss"
    assert found.evidence["where"].share < 0.1
    assert found.evidence["where"].equalised.greatest < 0
    assert found.trainings <= BUDGET


def test_a_training_that_ended_early_is_found():
    config = TrainerConfig(max_steps=8, epochs=10, learning_rate=0.02)
    assert found_of(rows_of(160, 0), config=config).cause == "under-training"


def test_data_sets_of_their_own_share_no_row_and_have_no_agreement():
    def dealt(rows):
        return {
            task: [data.Example(r.input_ids, {task: r.labels[task]}) for r in rows[start::2]]
            for start, task in enumerate(("colour", "where"))
        }

    found = diagnose(
        model_of(),
        dealt(rows_of(160, 0)),
        dealt(rows_of(64, 1)),
        config=TrainerConfig(max_steps=12, epochs=50),
        held_out=0.0,
        progress=False,
    )
    # 1 + 1/2 + 1/2, and a quarter for each task alone, whose steps read one data set of two.
    assert found.trainings == pytest.approx(2.5)
    assert all(e.held_out is None for e in found.evidence.values())
    assert all(e.beside is not None for e in found.evidence.values())
    assert all(e.partner_beside is None for e in found.evidence.values())


def test_half_way_is_the_same_training_as_the_whole():
    """What is changed alone is compared at a step that the joint training went through."""
    from tqdm.auto import tqdm

    from mtl_utils.diagnosis.rows import rows_for
    from mtl_utils.diagnosis.trainings import Settings, Trainings

    config = TrainerConfig(max_steps=12, epochs=12, learning_rate=0.05)
    rows = rows_for(model_of(), rows_of(80, 0), rows_of(16, 1), 0.2, 0)
    given = Settings(config, objectives.EqualWeights(), 16, None, None)
    with tqdm(disable=True) as bar:
        whole = Trainings(model_of(), rows, given, bar).joint({6, 12})
        half = Trainings(model_of(), rows, given, bar).joint({6})
    for task, losses in half.losses[6].items():
        assert losses == pytest.approx(whole.losses[6][task])
    plain = model_of()
    trainer = Trainer(plain, config, progress=False, shares_every=None)
    trainer.fit(data.BatchLoader(rows.train[0], batch_size=16, seed=0))
    for ours, theirs in zip(whole.model.parameters(), plain.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_model_that_cannot_be_widened_is_diagnosed_without():
    model = model_of()
    lower, upper = nn.BiLSTMEncoder(len(VOCABULARY), 8, num_layers=2, dropout=0.0).cut(1)
    branches = {"colour": upper, "where": copy.deepcopy(upper)}
    split = sharing.BranchedSharing(lower, branches)
    found = found_of(rows_of(80, 0), models.MultiTaskModel(split, model.tasks.values()), steps=8)
    assert "cut or changed" in found.untested["too little width"]
    assert all(e.wider is None for e in found.evidence.values())


def test_one_task_alone_is_refused():
    alone = models.MultiTaskModel(model_of().sharing, [model_of().tasks["colour"]])
    with pytest.raises(ValueError, match="at least two tasks"):
        found_of(rows_of(20, 0), alone)


def test_a_task_without_labels_is_refused():
    rows = [data.Example(r.input_ids, {"colour": r.labels["colour"]}) for r in rows_of(20, 0)]
    with pytest.raises(ValueError, match="none of 'where'"):
        found_of(rows)


def test_rows_of_columns_need_a_model_that_reads_them():
    with pytest.raises(TypeError, match="train must be examples"):
        found_of([{"text": "red door", "colour": "red"}])
