"""Tensors that say they lie on a GPU: values stay on the CPU, mixing devices is refused, and waits are counted.

Run as a script with a task's name: the change to PyTorch is for good, so a test has it in a process of its own. It
prints JSON: loss terms on the CPU and on the pretended GPU, and how often the host waited for the latter in a step.
"""

import json
import sys
from collections import Counter
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils import backend_registration as registration
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

from impasto.nets.transformer_spec import TransformerSpec
from impasto.training.muon import Muon
from impasto.training.run import Setting
from impasto.training.tasks.adain import AdainTask
from impasto.training.tasks.adain_options import AdainTraining
from impasto.training.tasks.johnson import JohnsonTask
from impasto.training.tasks.johnson_options import JohnsonTraining
from impasto.training.tasks.swap import SwapTask, SwapTraining
from impasto.training.tasks.swap_steps import SwapStepsTask, SwapStepsTraining
from impasto.weights.canonical import tiny_weights


class _Module(registration._DummyBackendModule):
    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]


registration._setup_privateuseone_for_python_backend("gpu", backend_module=_Module())

CPU, GPU = torch.device("cpu"), torch.device("gpu:0")
WAITS = Counter[str]()
_READ = (
    "_local_scalar_dense",
    "nonzero",
    "bincount",
    "equal",
    "_unique2",
)  # the host cannot go on without the result
_FROM_HOST = ("copy_", "index", "index_put_", "_index_put_impl_")


class OnGpu(torch.Tensor):
    """Of a pretended GPU."""

    inner: Tensor
    is_cuda = property(lambda _: True)

    @staticmethod
    def __new__(cls, inner: Tensor) -> "OnGpu":
        made = torch.Tensor._make_wrapper_subclass(
            cls, inner.shape, inner.stride(), inner.storage_offset(), dtype=inner.dtype, device=GPU
        )
        made.inner = inner
        return made

    def __repr__(self, **_: Any) -> str:
        return f"OnGpu({self.inner})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return dispatched(func, args, kwargs or {})


class Pretend(TorchDispatchMode):
    """Has tensors that are made there, too."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return dispatched(func, args, kwargs or {})


def dispatched(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """An operation on the tensors inside, its result where theirs would be."""
    name, device = func.overloadpacket.__name__, kwargs.get("device")
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    there = [each for each in tensors if isinstance(each, OnGpu)]
    here = [each for each in tensors if not isinstance(each, OnGpu) and each.dim()]
    to_gpu = device is not None and torch.device(device).type == GPU.type
    if there and here and name not in _FROM_HOST:
        raise RuntimeError(f"{func} mixes devices")
    away = there and device is not None and not to_gpu  # from the GPU
    blocking = to_gpu and here and not kwargs.get("non_blocking")
    if away or blocking or (there and (name in _READ or here)):
        WAITS[name] += 1
    args_in, kwargs_in = tree_map(lambda x: x.inner if isinstance(x, OnGpu) else x, (args, kwargs))
    made = func(*args_in, **(kwargs_in | ({"device": CPU} if to_gpu else {})))
    if away or not (there or to_gpu) or (name == "copy_" and not isinstance(args[0], OnGpu)):
        return made
    wrapped = tree_map(lambda x: OnGpu(x) if isinstance(x, Tensor) else x, made)
    return return_and_correct_aliasing(func, args, kwargs, wrapped) if there else wrapped


def setting(device: torch.device) -> Setting:
    generator = torch.Generator().manual_seed(0)
    held_out = [[torch.rand(1, 3, *size, generator=generator)] * 2 for size in ((48, 40), (40, 48))]
    sample = [torch.rand(2, 3, 32, 32, generator=generator)]
    return Setting(tiny_weights(), device, torch.float32, (held_out[0], held_out[1]), sample, {})


def task_of(name: str, device: torch.device) -> Any:
    given = setting(device)
    if name == "adain":
        return AdainTask(AdainTraining(), given)
    if name == "swap":
        return SwapTask(SwapTraining(), given)
    if name == "steps":
        net = SwapTask(SwapTraining(), setting(CPU)).net
        options = SwapStepsTraining(count=2, repeats=1)
        return SwapStepsTask(options, replace(given, init=net.state_dict()), net.spec)
    styles = dict(zip("ab", given.held_out[1], strict=True))
    look: Any = {"norm": "encoder", "enlarge": "bilinear", "chroma": "soft"}
    spec = TransformerSpec("c9s1-16,d16,d16,R16,u16,u16,c9s1-3", ("a", "b"), "colour", **look)
    return JohnsonTask(JohnsonTraining(style_size=48), given, styles, spec, [])


def step(name: str, device: torch.device) -> tuple[dict[str, float], dict[str, int]]:
    """Loss terms of a task's second step, and waits in it."""
    torch.manual_seed(0)
    crops = [torch.rand(2, 3, 32, 32).to(device) for _ in range(2)]
    task = task_of(name, device)
    optimiser = Muon([p for p in task.net.parameters() if p.requires_grad], lr=1e-3, betas=(0.9, 0.99))
    terms: dict[str, Tensor] = {}
    for number in range(2):  # in the first, things are made that are kept
        WAITS.clear()
        optimiser.zero_grad()
        terms = task.loss(task.net, *crops, number)
        torch.stack([*terms.values()]).sum().backward()
        torch.nn.utils.clip_grad_norm_(task.net.parameters(), 1.0)
        optimiser.step()
    waits = dict(WAITS)
    if device == GPU:
        task.validate()
    return {name: float(value.detach()) for name, value in terms.items()}, waits


def main() -> None:
    torch._C._set_only_lift_cpu_tensors(True)  # torch.tensor(…, device=…) comes by here as well
    on_cpu, _ = step(sys.argv[1], CPU)
    with Pretend():
        print(json.dumps([on_cpu, *step(sys.argv[1], GPU)]))


if __name__ == "__main__":
    main()
