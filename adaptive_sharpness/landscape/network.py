"""A network as a function of its parameters, which leaves the network itself as it was."""

import copy
import random
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

CONTAINERS = (dict, OrderedDict, list, set)
WRAPPERS = {"DataParallel": "module", "DistributedDataParallel": "module", "OptimizedModule": "_orig_mod"}


def measurable(model) -> nn.Module:
    """The network that is measured: what DataParallel, DistributedDataParallel or torch.compile wraps, else the model.

    Args:
        model: a network.

    Returns:
        A network that torch can call with other parameters.

    Raises:
        ValueError: if the model is no network, or none that can be measured: scripted, not yet initialised, without
            numbers, or on several devices.

    Example:
        >>> network = nn.Linear(1, 1)
        >>> measurable(nn.DataParallel(network)) is network
        True
        >>> measurable(network.state_dict())
        Traceback (most recent call last):
        ValueError: model: got OrderedDict, as a state_dict is, wanted the torch.nn.Module that it belongs to
    """
    if isinstance(model, Mapping):
        kind = type(model).__name__
        raise ValueError(f"model: got {kind}, as a state_dict is, wanted the torch.nn.Module that it belongs to")
    while (name := type(model).__name__) in WRAPPERS and isinstance(model, nn.Module):
        model = getattr(model, WRAPPERS[name])
    if isinstance(model, torch.jit.ScriptModule | torch.jit.ScriptFunction):
        raise ValueError("model: got a scripted one (torch.jit), wanted the torch.nn.Module that it was made from")
    if not isinstance(model, nn.Module):
        raise ValueError(f"model: got {type(model).__name__}, wanted a torch.nn.Module, or a list of them")
    tensors = dict([*model.named_parameters(), *model.named_buffers()])
    for name, value in tensors.items():
        if nn.parameter.is_lazy(value):
            raise ValueError(f"{name} has no shape yet, wanted a network that was called once: its layers are lazy")
        if value.is_meta:
            raise ValueError(f"{name} is on the device meta, which holds no numbers, wanted a network with its weights")
    devices = sorted({str(value.device) for value in tensors.values()})
    if len(devices) > 1:
        raise ValueError(f"model: got parameters or buffers on {' and '.join(devices)}, wanted them on one device")
    return model


def function_of_state(network: nn.Module, *, in_place: bool = False) -> Callable[..., Tensor]:
    """The network as a function of (state, inputs, options), the state being parameters and buffers by name.

    A tensor that lies in several places, as a tied weight does, is replaced in all of them: a module that is used twice
    has one place. What the state lacks is the network's own. Buffers that the call replaces are replaced in the state.

    Args:
        network: gives the function.
        in_place: whether the state stays in the network after a call, since for its gradient a checkpoint calls a part
            of it once more; `untouched` puts the network's own back.

    Returns:
        The function.

    Example:
        >>> layer = nn.Linear(1, 1, bias=False)
        >>> twice = function_of_state(nn.Sequential(layer, layer))
        >>> twice({"0.weight": torch.tensor([[3.0]])}, (torch.ones(1, 1),), {}).item()
        9.0
    """
    first: dict[int, str] = {}
    places = []
    for prefix, module in network.named_modules():
        for held in (module._parameters, module._buffers):
            for key, own in held.items():
                if own is not None:
                    place = f"{prefix}.{key}" if prefix else key
                    places.append((held, key, first.setdefault(id(own), place), own))

    def output(state: dict[str, Tensor], inputs: Sequence, options: Mapping) -> Tensor:
        for held, key, name, own in places:
            held[key] = state.get(name, own)
        try:
            found = network(*inputs, **options)
            state.update((name, held[key]) for held, key, name, _ in places if name in state)
            return found
        finally:
            for held, key, _, own in () if in_place else places:
                held[key] = own

    return output


@contextmanager
def untouched(networks: Sequence[nn.Module]) -> Iterator[None]:
    """After the block the networks and all random states are as they were before, whatever happens in it.

    That is each module's attributes and hooks, the same Parameter objects, their requires_grad and .grad; and the
    random states of torch, numpy and Python.

    Args:
        networks: any.

    Example:
        >>> layer = nn.Linear(1, 1)
        >>> with untouched([layer]):
        ...     layer.calls = 1
        >>> hasattr(layer, "calls")
        False
    """
    modules = {id(module): module for network in networks for module in network.modules()}.values()
    attributes = [(module, dict(vars(module)), _copies(module)) for module in modules]
    tensors = [
        (value, value.requires_grad, value.grad)
        for network in networks
        for value in (*network.parameters(), *network.buffers())
        if value.is_leaf
    ]
    of_numpy, of_python = np.random.get_state(), random.getstate()  # noqa: NPY002
    devices = sorted({value.get_device() for value, *_ in tensors if value.is_cuda})
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        np.random.set_state(of_numpy)  # noqa: NPY002
        random.setstate(of_python)
        for module, before, copies in attributes:
            for key in vars(module).keys() - before.keys():
                del vars(module)[key]
            vars(module).update(before)
            for key, value in copies.items():
                _refill(before[key], value)
        for value, requires_grad, grad in tensors:
            if value.requires_grad != requires_grad:
                value.requires_grad_(requires_grad)
            if value.grad is not grad:
                value.grad = grad


@contextmanager
def differentiable(networks: Sequence[nn.Module], *, twice: bool = False) -> Iterator[None]:
    """In the block torch takes no path that lacks the derivatives needed, also within its inference mode.

    Encoder layers leave their fused path, compiled modules run as they were written, sparse gradients are dense. For
    second derivatives attention uses its formula in place of fused kernels, and recurrent layers leave cuDNN.

    Args:
        networks: that are called in the block; `untouched` restores their attributes.
        twice: whether second derivatives are needed.

    Example:
        >>> with torch.inference_mode(), differentiable([]):
        ...     print(torch.is_inference_mode_enabled())
        False
    """
    fused = torch.backends.mha.get_fastpath_enabled()
    modules = [module for network in networks for module in network.modules()]
    with ExitStack() as stack:
        stack.callback(torch.backends.mha.set_fastpath_enabled, fused)
        torch.backends.mha.set_fastpath_enabled(False)
        stack.enter_context(torch.inference_mode(False))
        if "torch._dynamo" in sys.modules:  # else nothing is compiled
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        for module in modules:
            if getattr(module, "sparse", None) is True:
                module.sparse = False
        if twice:
            stack.enter_context(sdpa_kernel(SDPBackend.MATH))
            if any(isinstance(module, nn.RNNBase) for module in modules):
                stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        yield


def _copies(module: nn.Module) -> dict:
    return {key: copy.copy(value) for key, value in vars(module).items() if type(value) in CONTAINERS}


def _refill(container, content) -> None:
    """Give a container its content back, in place: others may hold the same one."""
    container.clear()
    container.extend(content) if isinstance(container, list) else container.update(content)
