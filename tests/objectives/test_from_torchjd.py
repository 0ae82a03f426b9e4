"""TorchJD's aggregators as combiners, and ours against theirs where theirs are right."""

import importlib.util
import sys

import pytest
import torch
from gradient_cases import jacobian

from mtl_utils.objectives import IMTLG, AlignedMTL, CAGrad, FromTorchJD, UPGrad

THERE = importlib.util.find_spec("torchjd") is not None
needs_torchjd = pytest.mark.skipif(not THERE, reason="TorchJD is not installed")


def test_without_torchjd_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchjd", None)
    monkeypatch.setitem(sys.modules, "torchjd.aggregation", None)
    with pytest.raises(ImportError, match=r"pip install torchjd.*Got the aggregator str"):
        FromTorchJD("UPGrad")


@needs_torchjd
def test_an_aggregator_is_called_with_the_jacobian():
    from torchjd.aggregation import Mean

    rows = jacobian("random", 4, 9)
    torch.testing.assert_close(FromTorchJD(Mean()).combine(rows), rows.mean(0))
    half = rows.to(torch.bfloat16)
    found = FromTorchJD(Mean()).combine(half)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found, half.float().mean(0).to(torch.bfloat16))
    with pytest.raises(TypeError, match=r"aggregator must be an Aggregator .* got"):
        FromTorchJD("UPGrad")


@needs_torchjd
@pytest.mark.parametrize("kind", ["random", "conflicting", "agreeing"])
def test_ours_against_theirs(kind):
    from torchjd import aggregation

    rows = jacobian(kind, 4, 9)
    pairs = [
        (IMTLG(), aggregation.IMTLG(), 1e-9),
        (AlignedMTL(), aggregation.AlignedMTL(), 1e-9),
        (UPGrad(), aggregation.UPGrad(), 1e-3),
    ]
    if importlib.util.find_spec("cvxpy") is not None:
        pairs.append((CAGrad(0.5), aggregation.CAGrad(0.5, norm_eps=1e-20), 1e-4))
    for own, other, off in pairs:
        expected = FromTorchJD(other).combine(rows)
        torch.testing.assert_close(own.combine(rows), expected, rtol=off, atol=off)
