"""Other people's networks and habits, tiny: what the library must measure, and what it must refuse in one line.

`python -m tests.unit.zoo` prints for each network its number of parameters, and what each measure says of it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import timm
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GAT, GCN, GIN, global_add_pool
from torchvision.models.resnet import BasicBlock, ResNet
from transformers import BertConfig, BertForSequenceClassification, GPT2Config, GPT2LMHeadModel

FEATURES, CLASSES, LENGTH, WORDS = 5, 3, 4, 11


@dataclass(frozen=True)
class Case:
    """A network, its loss, and a batch of what it takes.

    Args:
        network: builds it, from torch's global generator.
        loss: of (output, target) or of (network, batch), see `whole`.
        batch: draws one, likewise.
        whole: whether the loss is one of (network, batch).
        perturb: the library's option.
        dtype: of the network and of the batch's floating numbers; None leaves both as they are built.
        rounding: how far two computations of a loss may lie apart, relative.
        inference: whether network and batch are made in torch.inference_mode().
    """

    network: Callable[[], nn.Module]
    loss: Callable[..., Tensor]
    batch: Callable[[], Any]
    whole: bool = False
    perturb: str = "all"
    dtype: torch.dtype | None = torch.float64
    rounding: float = 1e-10
    inference: bool = False

    def build(self, *, plain: bool = False) -> tuple[nn.Module, list]:
        """The network in eval mode and two batches, the same numbers at every call.

        Args:
            plain: whether to build them outside of inference mode whatever the case is.
        """
        with seeded(), torch.inference_mode(self.inference and not plain):
            network = self.network()
            _stir(network)
            batches = [self.batch() for _ in range(2)]
            if self.dtype is not None:
                network, batches = network.to(self.dtype), [_cast(batch, self.dtype) for batch in batches]
        return network.eval(), batches

    def value(self, network: nn.Module, batch: Any) -> Tensor:
        """The loss as a user would compute it, without the library."""
        if self.whole:
            return self.loss(network, batch)
        inputs, targets = map(torch.as_tensor, batch)
        return self.loss(network(inputs), targets)


@contextmanager
def seeded() -> Iterator[None]:
    """In the block torch's global generator starts from 0; after it, it is as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def inner(network: nn.Module) -> nn.Module:
    """What is measured: the network without what DataParallel or torch.compile put around it."""
    return getattr(network, "_orig_mod", network.module if isinstance(network, nn.DataParallel) else network)


@torch.no_grad()
def _stir(network: nn.Module) -> None:
    """Move all weights a little, so that none is 0, where it could not move, and give batch norms a past."""
    for parameter in network.parameters():
        if not nn.parameter.is_lazy(parameter) and not parameter.is_meta:
            parameter.add_(0.1 * torch.randn_like(parameter))
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)


def _cast(batch: Any, dtype: torch.dtype) -> Any:
    if isinstance(batch, Data):
        return batch.apply(lambda value: _cast(value, dtype))
    if isinstance(batch, dict):
        return {name: _cast(value, dtype) for name, value in batch.items()}
    if isinstance(batch, tuple | list):
        return type(batch)(_cast(value, dtype) for value in batch)
    if isinstance(batch, np.ndarray):
        return _cast(torch.from_numpy(batch), dtype).numpy()
    return batch.to(dtype) if isinstance(batch, Tensor) and batch.is_floating_point() else batch


def rows(targets: int = 0, count: int = 6) -> tuple[Tensor, Tensor]:
    """Rows of features, and their classes, or several targets to regress on."""
    return torch.randn(count, FEATURES), torch.randn(count, targets) if targets else torch.randint(CLASSES, (count,))


def images(channels: int = 2) -> tuple[Tensor, Tensor]:
    """Images of 8 by 8 pixels, and their classes."""
    return torch.randn(4, channels, 8, 8), torch.randint(CLASSES, (4,))


def sequences() -> tuple[Tensor, Tensor]:
    """Sequences of vectors, and their classes."""
    return torch.randn(3, LENGTH, 4), torch.randint(CLASSES, (3,))


def sentences() -> tuple[Tensor, Tensor]:
    """Sequences of words, and their classes."""
    return torch.randint(WORDS, (3, LENGTH)), torch.randint(CLASSES, (3,))


def text() -> dict[str, Tensor]:
    """A batch of transformers': a dict by the names of what forward() takes, labels among them."""
    words, classes = sentences()
    return {"input_ids": words, "attention_mask": torch.ones_like(words), "labels": classes}


def prose() -> dict[str, Tensor]:
    """Words that are their own labels, as for a language model."""
    words, _ = sentences()
    return {"input_ids": words, "labels": words.clone()}


def graphs() -> Batch:
    """Three graphs of four nodes each, in a batch of torch_geometric's."""
    edges = torch.tensor([[0, 1, 2, 3, 0, 2], [1, 2, 3, 0, 2, 0]])
    return Batch.from_data_list([Data(torch.randn(4, FEATURES), edges, y=torch.randint(CLASSES, (1,))) for _ in "abc"])


def twins() -> tuple[Tensor, Tensor, Tensor]:
    """Pairs of rows, and whether they are alike."""
    return torch.randn(6, FEATURES), torch.randn(6, FEATURES), torch.randint(2, (6,)).float()


def heads() -> dict[str, Tensor]:
    """Rows with a class and with a number each."""
    x, classes = rows()
    return {"x": x, "kind": classes, "size": torch.randn(6, 1)}


def arrays() -> tuple[np.ndarray, np.ndarray]:
    """Rows and classes as numpy's arrays."""
    x, y = rows()
    return x.numpy(), y.numpy()


class Formula(nn.Module):
    """Modules by name, and a function of (module, input)."""

    def __init__(self, function: Callable, **modules: nn.Module):
        super().__init__()
        self.function = function
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, *inputs):
        return self.function(self, *inputs)


class CubeRoot(torch.autograd.Function):
    """A soft one, in the way of functions before setup_context: forward takes ctx."""

    @staticmethod
    def forward(ctx, x):
        y = x.sign() * ((1 + x.abs()) ** (1 / 3) - 1)
        ctx.save_for_backward(x)
        return y

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient / 3 * (1 + x.abs()) ** (-2 / 3)


class Diary(nn.Module):
    """Keeps its last activation, its calls and their sizes."""

    def __init__(self):
        super().__init__()
        self.hidden, self.out = nn.Linear(FEATURES, 4), nn.Linear(4, CLASSES)
        self.calls, self.sizes, self.notes, self.last = 0, [], {"first": None}, None

    def forward(self, x):
        self.last = torch.tanh(self.hidden(x))
        self.calls += 1
        self.sizes.append(len(x))
        self.notes["first"] = self.last[0].detach()
        return self.out(self.last)


class Tied(nn.Module):
    """A bag of words whose embedding is its output head."""

    def __init__(self):
        super().__init__()
        self.embedding, self.mix = nn.Embedding(WORDS, 3), nn.Linear(3, 3)
        self.head = nn.Linear(3, WORDS)
        self.head.weight = self.embedding.weight

    def forward(self, words):
        return self.head(torch.tanh(self.mix(self.embedding(words).mean(1))))


class MixedDtypes(nn.Module):
    """A body in bfloat16, a head in float32."""

    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(FEATURES, 4).to(torch.bfloat16), nn.Linear(4, CLASSES)

    def forward(self, x):
        return self.head(torch.tanh(self.body(x.bfloat16())).float())


def mlp(*between: nn.Module, width: int = 4, out: int = CLASSES) -> nn.Sequential:
    """Two linear layers, and what is between them."""
    return nn.Sequential(nn.Linear(FEATURES, width), *(between or (nn.Tanh(),)), nn.Linear(width, out))


def _convolutional() -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.GELU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(27, CLASSES))


def _residual() -> nn.Module:
    """Torchvision's, with narrow planes."""
    network = ResNet(BasicBlock, [1, 0, 0, 0], num_classes=CLASSES)
    network.conv1, network.bn1 = nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4)
    network.layer1 = nn.Sequential(BasicBlock(4, 4))
    network.layer2 = network.layer3 = network.layer4 = nn.Identity()
    network.fc = nn.Linear(4, CLASSES)
    return network


def _vit() -> nn.Module:
    sizes = {"img_size": 8, "patch_size": 4, "embed_dim": 4, "depth": 1, "num_heads": 2, "mlp_ratio": 2}
    return timm.models.VisionTransformer(in_chans=2, num_classes=CLASSES, **sizes)


def _bert() -> nn.Module:
    sizes = {"hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 4}
    config = BertConfig(vocab_size=WORDS, max_position_embeddings=LENGTH, num_labels=CLASSES, **sizes)
    return BertForSequenceClassification(config)


def _gpt() -> nn.Module:
    sizes = {"n_positions": LENGTH, "n_embd": 4, "n_layer": 1, "n_head": 2}
    return GPT2LMHeadModel(GPT2Config(vocab_size=WORDS, bos_token_id=0, eos_token_id=0, **sizes))


def _lora() -> nn.Module:
    return get_peft_model(_gpt(), LoraConfig(r=2, target_modules=["c_attn"], fan_in_fan_out=True))


def _encoder() -> nn.Module:
    layer = nn.TransformerEncoderLayer(4, 2, dim_feedforward=5, batch_first=True)
    return Formula(lambda self, x: self.head(self.layer(x).mean(1)), layer=layer, head=nn.Linear(4, CLASSES))


def _attention() -> nn.Module:
    def function(self, x):
        query, key, value = self.project(x).reshape(*x.shape[:2], 3, 2, 2).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.head(mixed.transpose(1, 2).flatten(2).mean(1))

    return Formula(function, project=nn.Linear(4, 12), head=nn.Linear(4, CLASSES))


def _experts() -> nn.Module:
    """Every row goes to its two best experts of three."""

    def function(self, x):
        weights, chosen = self.gate(x).softmax(-1).topk(2)
        answers = torch.stack([expert(x) for expert in self.experts], dim=1)
        return (weights[..., None] * answers.gather(1, chosen[..., None].expand(-1, -1, CLASSES))).sum(1)

    experts = nn.ModuleList(mlp(width=3) for _ in range(3))
    return Formula(function, gate=nn.Linear(FEATURES, 3), experts=experts)


def _recurrent(kind: type[nn.RNNBase]) -> nn.Module:
    cell = kind(4, 3, batch_first=True)
    return Formula(lambda self, x: self.head(self.cell(x)[0][:, -1]), cell=cell, head=nn.Linear(3, CLASSES))


def _iterated(steps: int) -> nn.Module:
    """One layer applied again and again, on its way to an equilibrium."""

    def function(self, x):
        z = x.new_zeros(len(x), 4)
        for _ in range(steps):
            z = torch.tanh(0.5 * self.layer(z) + self.inject(x))
        return self.head(z)

    parts = {"layer": nn.Linear(4, 4), "inject": nn.Linear(FEATURES, 4), "head": nn.Linear(4, CLASSES)}
    return Formula(function, **parts)


def _shared_layer() -> nn.Module:
    layer = nn.Linear(4, 4)
    return mlp(layer, nn.Tanh(), layer, nn.Tanh())


def _in_two_places(module: nn.Module) -> nn.Module:
    """Two names for one module."""
    return nn.Sequential(nn.Linear(FEATURES, 4), module, nn.Linear(4, 4), module, nn.Linear(4, CLASSES))


def _frozen() -> nn.Module:
    network = mlp()
    network[0].requires_grad_(False)
    return network


def _normed(norm: Callable[[nn.Module], nn.Module]) -> nn.Module:
    return nn.Sequential(norm(nn.Linear(FEATURES, 4)), nn.Tanh(), norm(nn.Linear(4, CLASSES)))


def _checkpointed(use_reentrant: bool, first: bool = False) -> nn.Module:
    """A reentrant one gives no gradients of a first part, without an error, and refuses torch.autograd.grad later."""

    def function(self, x):
        return self.head(checkpoint(self.body, self.start(x), use_reentrant=use_reentrant))

    start = nn.Identity() if first else nn.Linear(FEATURES, FEATURES)
    return Formula(function, start=start, body=mlp(out=4), head=nn.Linear(4, CLASSES))


def _sparse() -> nn.Module:
    return Formula(
        lambda self, words: self.head(torch.tanh(self.embedding(words)).mean(1)),
        embedding=nn.Embedding(WORDS, 3, sparse=True),
        head=nn.Linear(3, CLASSES),
    )


def _norms() -> nn.Module:
    norms = nn.BatchNorm2d(4), nn.GroupNorm(2, 4), nn.LayerNorm([4, 6, 6]), nn.InstanceNorm2d(4, affine=True)
    return nn.Sequential(nn.Conv2d(2, 4, 3), *norms, nn.SiLU(), nn.Flatten(), nn.Linear(144, CLASSES))


def _multi_head() -> nn.Module:
    return Formula(
        lambda self, x: (self.kind(h := torch.tanh(self.body(x))), self.size(h)),
        body=nn.Linear(FEATURES, 4),
        kind=nn.Linear(4, CLASSES),
        size=nn.Linear(4, 1),
    )


def _own_parameters() -> nn.Module:
    """Parameters in a list and in a dict, one of them a number without dimensions."""

    def function(self, x):
        return self.temperature["own"] * torch.tanh(x @ self.weights[0]) @ self.weights[1]

    weights = nn.ParameterList(nn.Parameter(torch.randn(shape)) for shape in ((FEATURES, 4), (4, CLASSES)))
    temperature = nn.ParameterDict({"own": nn.Parameter(torch.tensor(0.7))})
    return Formula(function, weights=weights, temperature=temperature)


def _hooked() -> nn.Module:
    """A forward hook changes an output, a backward hook looks at a gradient."""
    network = mlp()
    network[0].register_forward_hook(lambda module, inputs, output: 2 * output)
    network[2].register_full_backward_pre_hook(lambda module, gradient: None)
    return network


def of_labels(network: nn.Module, batch: dict) -> Tensor:
    """The loss that a network of transformers' computes itself."""
    return network(**batch).loss


def of_next_words(network: nn.Module, batch: dict) -> Tensor:
    """A language model's loss in the numbers of its weights: its own rounds the logits to float32."""
    logits = network(input_ids=batch["input_ids"]).logits[:, :-1]
    return functional.cross_entropy(logits.flatten(0, 1), batch["labels"][:, 1:].flatten())


def of_graphs(network: nn.Module, batch: Batch) -> Tensor:
    """Cross-entropy of sums over each graph's nodes."""
    return functional.cross_entropy(global_add_pool(network(batch.x, batch.edge_index), batch.batch), batch.y)


def of_twins(network: nn.Module, batch: tuple) -> Tensor:
    """One network on both, Siamese."""
    one, other, alike = batch
    return functional.binary_cross_entropy_with_logits((network(one) * network(other)).sum(1), alike)


def of_itself(network: nn.Module, batch: Tensor) -> Tensor:
    """How far from its input an autoencoder's output is."""
    return functional.mse_loss(network(batch), batch)


def of_heads(network: nn.Module, batch: dict) -> Tensor:
    """Both heads' losses."""
    kind, size = network(batch["x"])
    return functional.cross_entropy(kind, batch["kind"]) + 0.5 * functional.mse_loss(size, batch["size"])


cross_entropy, mse = functional.cross_entropy, functional.mse_loss

CASES = {
    "convolutional": Case(_convolutional, cross_entropy, images),
    "residual_torchvision": Case(_residual, cross_entropy, images),
    "vit_timm": Case(_vit, cross_entropy, images),
    "bert_transformers": Case(_bert, of_labels, text, whole=True),
    "gpt_transformers": Case(_gpt, of_next_words, prose, whole=True),
    "lora_peft": Case(_lora, of_next_words, prose, whole=True, perturb="trainable"),
    "encoder_layer": Case(_encoder, cross_entropy, sequences),
    "scaled_dot_product_attention": Case(_attention, cross_entropy, sequences),
    "mixture_of_experts": Case(_experts, cross_entropy, rows),
    "lstm": Case(lambda: _recurrent(nn.LSTM), cross_entropy, sequences),
    "gru": Case(lambda: _recurrent(nn.GRU), cross_entropy, sequences),
    "graph_convolution": Case(lambda: GCN(FEATURES, 4, 2, CLASSES), of_graphs, graphs, whole=True),
    "graph_attention": Case(lambda: GAT(FEATURES, 4, 2, CLASSES), of_graphs, graphs, whole=True),
    "graph_isomorphism": Case(lambda: GIN(FEATURES, 4, 2, CLASSES, norm="batch_norm"), of_graphs, graphs, whole=True),
    "deep_equilibrium": Case(lambda: _iterated(15), cross_entropy, rows),
    "one_layer_repeatedly": Case(lambda: _iterated(3), cross_entropy, rows),
    "shared_layer": Case(_shared_layer, cross_entropy, rows),
    "one_prelu_in_two_places": Case(lambda: _in_two_places(nn.PReLU()), cross_entropy, rows),
    "one_batch_norm_in_two_places": Case(lambda: _in_two_places(nn.BatchNorm1d(4)), cross_entropy, rows),
    "tied_parameters": Case(Tied, cross_entropy, sentences),
    "frozen_part": Case(_frozen, cross_entropy, rows, perturb="trainable"),
    "spectral_norm": Case(lambda: _normed(parametrizations.spectral_norm), cross_entropy, rows),
    "spectral_norm_by_hook": Case(lambda: _normed(nn.utils.spectral_norm), cross_entropy, rows),
    "weight_norm": Case(lambda: _normed(parametrizations.weight_norm), cross_entropy, rows),
    "weight_norm_by_hook": Case(lambda: _normed(nn.utils.weight_norm), cross_entropy, rows),
    "siamese": Case(lambda: mlp(), of_twins, twins, whole=True),
    "autoencoder": Case(lambda: mlp(out=FEATURES), of_itself, lambda: rows()[0], whole=True),
    "multi_head": Case(_multi_head, of_heads, heads, whole=True),
    "several_targets": Case(lambda: mlp(out=4), mse, lambda: rows(targets=4)),
    "custom_function": Case(lambda: mlp(Formula(lambda self, x: CubeRoot.apply(x))), cross_entropy, rows),
    "checkpoint": Case(lambda: _checkpointed(use_reentrant=False), cross_entropy, rows),
    "compiled": Case(lambda: torch.compile(mlp(), backend="eager"), cross_entropy, rows),
    "data_parallel": Case(lambda: nn.DataParallel(mlp()), cross_entropy, rows),
    "many_norms": Case(_norms, cross_entropy, images),
    "sparse_embedding": Case(_sparse, cross_entropy, sentences),
    "numpy_batches": Case(mlp, cross_entropy, arrays),
    "inference_mode": Case(mlp, cross_entropy, rows, inference=True),
    "mixed_dtypes": Case(MixedDtypes, cross_entropy, rows, dtype=None, rounding=1e-5),
    "float32": Case(mlp, cross_entropy, rows, dtype=torch.float32, rounding=1e-5),
    "float64": Case(lambda: mlp(nn.ReLU()), cross_entropy, rows),
    "keeps_a_diary": Case(Diary, cross_entropy, rows),
    "own_parameters": Case(_own_parameters, cross_entropy, rows),
    "hooked": Case(_hooked, cross_entropy, rows),
}


@dataclass(frozen=True)
class Refused:
    """What cannot be measured, and what the line must say.

    Args:
        network: builds the model.
        line: a regular expression of words that the line holds.
        loss: given with it.
        batch: draws one.
        measured_by: measures that need no gradient and may measure it.
    """

    network: Callable[[], Any]
    line: str
    loss: Any = cross_entropy
    batch: Callable[[], Any] = rows
    measured_by: tuple[str, ...] = ()

    def build(self) -> tuple[Any, list]:
        """The model, in eval mode where it has one, and a batch."""
        with seeded():
            network = self.network()
            return network.eval() if isinstance(network, nn.Module) else network, [self.batch()]


def _scripted() -> nn.Module:
    return torch.jit.script(mlp())


def _complex() -> nn.Module:
    return Formula(lambda self, x: self.layer(x.cfloat()).abs(), layer=nn.Linear(FEATURES, CLASSES, dtype=torch.cfloat))


def _dropout(self, x: Tensor) -> Tensor:
    return self.layer(functional.dropout(x, 0.5, training=True))


REFUSED = {
    "scripted": Refused(_scripted, "script"),
    "lazy": Refused(lambda: nn.Sequential(nn.LazyLinear(CLASSES)), "lazy"),
    "meta": Refused(lambda: mlp().to("meta"), "meta"),
    "complex": Refused(_complex, "complex"),
    "state_dict": Refused(lambda: mlp().state_dict(), "Module"),
    "three_tensors": Refused(mlp, "batch", batch=twins),
    "pair_for_a_loss_of_the_network": Refused(mlp, "batch", loss=of_itself),
    "input_changed_in_place": Refused(lambda: nn.Sequential(nn.ReLU(inplace=True), mlp()), "in place|changes"),
    "loss_no_callable": Refused(mlp, "loss", loss="cross_entropy"),
    "loss_a_vector": Refused(mlp, "loss", loss=nn.CrossEntropyLoss(reduction="none")),
    "loss_a_float": Refused(mlp, "loss", loss=lambda output, target: cross_entropy(output, target).item()),
    "loss_detached": Refused(
        mlp,
        "loss|gradient",
        loss=lambda output, target: cross_entropy(output.detach(), target),
        measured_by=("average_case",),
    ),
    "reentrant_checkpoint": Refused(
        lambda: _checkpointed(use_reentrant=True), "reentrant", measured_by=("average_case",)
    ),
    "reentrant_checkpoint_first": Refused(
        lambda: _checkpointed(use_reentrant=True, first=True), "reentrant", measured_by=("average_case",)
    ),
    "random": Refused(lambda: Formula(_dropout, layer=nn.Linear(FEATURES, CLASSES)), "random"),
}


def main() -> None:
    """Print the zoo's table."""
    from adaptive_sharpness import average_case, hessian, worst_case

    measures = {
        "worst_case": lambda *case, **options: worst_case(*case, rho=0.05, steps=3, **options),
        "average_case": lambda *case, **options: average_case(*case, rho=0.05, samples=4, **options),
        "hessian": hessian,
    }
    torch.set_num_threads(1)
    print("| network | parameters |", " | ".join(measures), "|\n|---|---|" + "---|" * len(measures))
    for name, case in (CASES | REFUSED).items():
        said = []
        for measure in measures.values():
            network, batches = case.build()
            options = {"perturb": case.perturb} if getattr(case, "perturb", "all") != "all" else {}
            try:
                said.append(f"{measure(network, case.loss, batches, **options).sharpness:.4g}")
            except Exception as error:
                said.append(f"{type(error).__name__}: {str(error).splitlines()[0][:150]}")
        parameters = list(network.parameters()) if isinstance(network, nn.Module) else []
        lazy = any(map(nn.parameter.is_lazy, parameters))
        count = "?" if lazy else sum(parameter.numel() for parameter in parameters)
        print(f"| {name} | {count} |", " | ".join(said), "|")


if __name__ == "__main__":
    main()
