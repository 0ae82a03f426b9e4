"""Counts of multiplications, beside those worked by hand."""

import torch

from mtl_utils import nn


def test_linear_layers_multiply_once_a_weight_and_row() -> None:
    layers = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.ReLU(), torch.nn.Linear(5, 2))
    assert nn.count_multiplications(layers, torch.ones(7, 3)) == 7 * (3 * 5 + 5 * 2)


def test_functions_are_counted_and_element_wise_products_are_not() -> None:
    first, second = torch.ones(4, 6), torch.ones(6, 8)
    assert nn.count_multiplications(torch.matmul, first, second) == 4 * 6 * 8
    assert nn.count_multiplications(torch.mul, first, first) == 0


def test_no_gradient_is_kept() -> None:
    seen = []
    weight = torch.nn.Parameter(torch.ones(2, 2))
    nn.count_multiplications(lambda x: seen.append(x @ weight), torch.ones(1, 2))
    assert not seen[0].requires_grad


def test_tied_and_frozen_parameters_count_once() -> None:
    first, second = torch.nn.Linear(3, 4), torch.nn.Linear(3, 4, bias=False)
    second.weight = first.weight
    first.bias.requires_grad_(False)
    assert nn.count_parameters(torch.nn.ModuleList([first, second])) == 3 * 4 + 4
