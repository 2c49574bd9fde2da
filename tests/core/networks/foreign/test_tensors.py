"""Layers are found in named arrays by shapes and order, whatever the names are."""

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from core.classifier import FloatArray
from core.networks import MLP, NetworkFileError, Single
from core.networks.foreign import Found, Reading, pytorch_file, read
from core.networks.foreign.tensors import stack_of
from core.networks.foreign.ways import readings as ways
from tests.conftest import random_mlp
from tests.core.networks.foreign.samples import saved, sequential
from tests.core.networks.samples import assert_same

RNG = np.random.default_rng(0)
X = RNG.random((20, 784), np.float32)
DEEP = random_mlp((784, 30, 20, 20, 20, 10), seed=0, dtype=np.float32)


def readings(tensors: dict[str, FloatArray]) -> list[Reading]:
    """Return the readings with ReLU."""
    return ways(stack_of(tensors))[0]


def agree(network: Single, module: nn.Module) -> None:
    """Fail unless the logits agree to 1e-5 of the largest one."""
    with torch.no_grad():
        expected = module.double()(torch.from_numpy(X).double()).numpy()
    found = network.logits(X)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def only(found: Found) -> Single:
    (reading,) = found.readings
    return reading.network


@pytest.mark.parametrize("sizes", [(784, 10), (784, 128, 64, 10), DEEP.sizes, (784, 784, 10)])
def test_any_number_and_size_of_layers(sizes: tuple[int, ...]) -> None:
    network = random_mlp(sizes, seed=1, dtype=np.float32)
    found = pytorch_file.read(saved(sequential(network).state_dict()))
    assert_same(only(found), network)
    assert (found.program, found.sure, found.left_out) == ("PyTorch", False, ())


class Named(nn.Module):
    """A module as people write it."""

    def __init__(self, bias: bool = True) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.output = nn.Linear(20, 10, bias=bias)  # defined first
        self.hidden = nn.Linear(784, 30, bias=bias)
        self.between = nn.Linear(30, 20, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        logits: torch.Tensor = self.output(self.between(self.hidden(x).relu()).relu())
        return logits


@pytest.mark.parametrize("bias", [True, False])
def test_layers_in_another_order_and_without_biases(bias: bool) -> None:
    agree(only(pytorch_file.read(saved(Named(bias).state_dict()))), Named(bias))


def test_a_safetensors_file_is_alphabetical_and_layer_10_comes_after_layer_2() -> None:
    network = random_mlp((784, *[20] * 8, 10), seed=2, dtype=np.float32)
    names = {str(2 * n): f"fc{n + 3}" for n in range(9)}  # fc3 to fc11
    tensors = {}
    for name, tensor in sequential(network).state_dict().items():
        place, _, part = name.partition(".")
        tensors[f"{names[place]}.{part}"] = tensor
    found = read(safetensors.torch.save(tensors), "deep.safetensors")
    assert found.program == "safetensors"
    assert_same(only(found), network)


def test_arrays_of_a_hand_written_network() -> None:
    """Weights are (inputs, outputs), biases are rows, and names are no module's."""
    arrays: dict[str, FloatArray] = {}
    for layer, (weight, bias) in enumerate(zip(DEEP.weights, DEEP.biases, strict=True), start=1):
        arrays[f"W{layer}"], arrays[f"b{layer}"] = weight, bias[None]
    assert_same(readings(arrays)[0].network, DEEP)
    assert_same(readings(dict(sorted(arrays.items())))[0].network, DEEP)
    tensors = [torch.from_numpy(array.copy()) for array in arrays.values()]
    assert_same(only(pytorch_file.read(saved(tensors))), DEEP)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("container", ["torch", "safetensors"])
def test_other_precisions_become_float32(dtype: torch.dtype, container: str) -> None:
    module = sequential(random_mlp((784, 30, 10), seed=3, dtype=np.float32)).to(dtype)
    state = module.state_dict()
    content = saved(state) if container == "torch" else safetensors.torch.save(state)
    found = pytorch_file.read(content) if container == "torch" else read(content, "x")
    network = only(found)
    assert network.dtype == np.float32
    expected = MLP(
        tuple(state[f"{n}.weight"].float().numpy().T for n in (0, 2)),
        tuple(state[f"{n}.bias"].float().numpy() for n in (0, 2)),
    )
    assert_same(network, expected)


def checkpoints() -> dict[str, tuple[Any, str]]:
    """Return what people save, and the key under which the state dict is."""
    module = sequential(DEEP)
    optimizer = torch.optim.Adam(module.parameters())
    module(torch.zeros(1, 784)).sum().backward()
    optimizer.step()
    module.load_state_dict(sequential(DEEP).state_dict())
    state = module.state_dict()
    prefixed = OrderedDict((f"module.{name}", value) for name, value in state.items())
    compiled = OrderedDict((f"_orig_mod.module.{name}", value) for name, value in state.items())
    other = sequential(random_mlp((100, 10), seed=0, dtype=np.float32)).state_dict()
    return {
        "bare": (state, ""),
        "DataParallel": (prefixed, ""),
        "compiled": (compiled, ""),
        "checkpoint": (
            {"epoch": 3, "optimizer": optimizer.state_dict(), "model": prefixed, "loss": 0.5},
            "model",
        ),
        "Lightning": ({"state_dict": state, "hyper_parameters": {"lr": 0.1}}, "state_dict"),
        "several": ({"critic": other, "nets": {"actor": state}}, "nets.actor"),
        "with numbers": ({**state, "epoch": 3}, ""),
    }


@pytest.mark.parametrize("name", checkpoints())
def test_a_state_dict_is_found_in_a_checkpoint(name: str) -> None:
    thing, key = checkpoints()[name]
    found = pytorch_file.read(saved(thing))
    assert_same(only(found), DEEP)
    assert found.readings[0].how == ", ".join([f"under the key {key!r}", "ReLU"][not key :])


def test_old_files_of_torch_are_read() -> None:
    content = saved(sequential(DEEP).state_dict(), _use_new_zipfile_serialization=False)
    assert_same(only(pytorch_file.read(content)), DEEP)


def normalised(after: bool, affine: bool = True) -> nn.Sequential:
    """Return a module with batch normalisation before ReLU or after it, and on the pixels."""
    torch.manual_seed(0)
    parts: list[nn.Module] = [nn.BatchNorm1d(784, affine=affine)]
    for inputs, outputs in ((784, 30), (30, 20)):
        norm, relu = nn.BatchNorm1d(outputs, affine=affine), nn.ReLU()
        parts += [nn.Linear(inputs, outputs), *((relu, norm) if after else (norm, relu))]
    module = nn.Sequential(*parts, nn.Linear(20, 10))
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm1d):
            layer.running_mean = torch.randn(layer.num_features)
            layer.running_var = torch.rand(layer.num_features) + 0.5
            if affine:
                nn.init.uniform_(layer.weight, -1, 2)
                nn.init.normal_(layer.bias)
    return module.eval()


@pytest.mark.parametrize("affine", [True, False])
def test_batch_normalisation_is_folded_in(affine: bool) -> None:
    for number, after in enumerate((False, True)):
        module = normalised(after, affine)
        found = pytorch_file.read(saved(module.state_dict()))
        assert ["before" in reading.how for reading in found.readings] == [True, False]
        agree(found.readings[number].network, module)


def test_batch_normalisations_may_come_after_all_layers() -> None:
    module = normalised(after=False)
    state = module.state_dict()
    places = ["1", "4", "7", "0", "2", "5"]  # the affine layers, then the normalisations
    ordered = {n: state[n] for place in places for n in state if n.startswith(f"{place}.")}
    agree(pytorch_file.read(saved(ordered)).readings[0].network, module)


def arrays(**shapes: tuple[int, ...]) -> dict[str, FloatArray]:
    return {name.replace("__", "."): np.ones(shape, np.float32) for name, shape in shapes.items()}


REFUSED = {
    "other inputs": (arrays(a__weight=(10, 3072), a__bias=(10,)), "784 pixels to 10"),
    "other classes": (arrays(a__weight=(26, 784), a__bias=(26,)), "784 pixels to 10"),
    "no chain": (arrays(a__weight=(30, 784), b__weight=(10, 20)), "784 pixels to 10"),
    "affine layers that fit no image": (
        arrays(c__weight=(8, 1, 5, 5), c__bias=(8,), a__weight=(10, 8 * 7)), "fit no image"
    ),
    "colours": (arrays(c__weight=(8, 3, 5, 5), a__weight=(10, 8 * 144)), "grey images"),
    "a branch": (
        arrays(c__weight=(8, 1, 3, 3), d__weight=(8, 8, 3, 3), e__weight=(16, 8, 3, 3),
               shortcut__weight=(16, 4, 1, 1), a__weight=(10, 16)), "branches",
    ),
    "groups of channels": (
        arrays(c__weight=(8, 1, 3, 3), d__weight=(8, 1, 3, 3), a__weight=(10, 8)), "groups"
    ),
    "sound": (arrays(c__weight=(8, 1, 5), a__weight=(10, 8)), "no affine layer|nor an affine"),
    "a GRU": (
        arrays(gru__weight_ih_l0=(96, 28), gru__weight_hh_l0=(96, 32), a__weight=(10, 32)),
        "recurrent",
    ),
    "attention": (arrays(a__in_proj_weight=(84, 28), b__weight=(10, 28)), "attention"),
    "many convolutions": (
        {f"{n}.weight": np.ones((4, 4 if n else 1, 3, 3)) for n in range(17)}, "at most 16"
    ),
    "a wide convolution": (
        arrays(c__weight=(900, 1, 3, 3), d__weight=(100, 900, 3, 3), e__weight=(10, 78_400)),
        "multiplications|units",
    ),
    "layer normalisation": (
        arrays(a__weight=(30, 784), a__bias=(30,), n__weight=(30,), n__bias=(30,),
               b__weight=(10, 30), b__bias=(10,)), "neither a bias",
    ),
    "PReLU": (arrays(a__weight=(30, 784), p__weight=(1,), b__weight=(10, 30)), "neither a bias"),
    "nothing": ({}, "no layer's weights"),
    "no matrix": (arrays(a__bias=(10,)), "no layer's weights"),
    "ten hidden layers": (
        {f"{n}.weight": np.ones((10, 784 if n == 0 else 10)) for n in range(11)}, "at most 9"
    ),
    "a wide layer": (arrays(a__weight=(2049, 784), b__weight=(10, 2049)), "2,048"),
    "integers": ({"a.weight": np.ones((10, 784), np.int8)}, "int8"),
    "NaN": ({"a.weight": np.full((10, 784), np.nan)}, "not finite"),
    "beyond float32": ({"a.weight": np.full((10, 784), 1e300)}, "not finite"),
    "half a normalisation": (
        arrays(a__weight=(10, 784), n__running_mean=(10,)), "no running variance"
    ),
    "a normalisation of other units": (
        arrays(a__weight=(10, 784), n__running_mean=(9,), n__running_var=(9,)), "fits no layer"
    ),
    "many arrays": ({f"{n}": np.ones(1) for n in range(500)}, "far fewer"),
}  # fmt: skip


@pytest.mark.parametrize(("tensors", "said"), REFUSED.values(), ids=REFUSED)
def test_other_arrays_are_refused(tensors: dict[str, FloatArray], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        readings(tensors)


def test_a_normalisation_kept_beside_the_weights_is_left_out() -> None:
    tensors = {
        "mean": np.array(0.1307),
        "std": np.array([0.3081]),
        "a.weight": np.ones((10, 784)),
        "bn.num_batches_tracked": np.array(7),
    }
    assert readings(tensors)[0].network.sizes == (784, 10)


def test_a_name_is_no_markup_and_no_second_line() -> None:
    tensors = {"a\nb" * 100: np.ones((2, 2, 2, 2))}
    with pytest.raises(NetworkFileError) as caught:
        read(safetensors.torch.save({k: torch.from_numpy(v) for k, v in tensors.items()}), "x")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300
