"""Combining the gradients of tasks: methods that look at who pulls where."""

from mtl_utils.objectives.gradients.adatask import AdaTask
from mtl_utils.objectives.gradients.aligned import AlignedMTL
from mtl_utils.objectives.gradients.cagrad import CAGrad
from mtl_utils.objectives.gradients.combiner import Combination, Combiner, GramCombiner, On
from mtl_utils.objectives.gradients.fairness import FairGrad, NashMTL
from mtl_utils.objectives.gradients.from_torchjd import FromTorchJD
from mtl_utils.objectives.gradients.graddrop import GradDrop
from mtl_utils.objectives.gradients.imtl import IMTLG
from mtl_utils.objectives.gradients.mgda import MGDA
from mtl_utils.objectives.gradients.surgery import GradientSurgery, GradVac, PCGrad
from mtl_utils.objectives.gradients.upgrad import UPGrad

__all__ = [
    "AdaTask",
    "AlignedMTL",
    "CAGrad",
    "Combination",
    "Combiner",
    "FairGrad",
    "FromTorchJD",
    "GradDrop",
    "GradVac",
    "GradientSurgery",
    "GramCombiner",
    "IMTLG",
    "MGDA",
    "NashMTL",
    "On",
    "PCGrad",
    "UPGrad",
]
