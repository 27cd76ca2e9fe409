"""Residual networks and transformers: sizes of the papers, torch's layers as a reference, what an output depends on."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from adaptive_sharpness.architectures._attention_block import AttentionBlock
from adaptive_sharpness.datasets import Rows
from adaptive_sharpness.study.config.pools import PoolSettings
from adaptive_sharpness.study.training.descent import evaluate
from adaptive_sharpness.study.training.networks import build_network, initial_network

WORDS = 7
OPTIONS = {"resnet": {"width": 4}, "vit": {"dim": 8}, "transformer": {"vocabulary": WORDS, "context": 6, "dim": 8}}
NETWORKS = pytest.mark.parametrize("network", OPTIONS)


def _built(network: str, **options) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_network(network, {**OPTIONS[network], **options}).eval()


def _size(network: str, **options) -> int:
    return sum(parameter.numel() for parameter in build_network(network, options).parameters())


def _inputs(network: str, n: int = 5) -> Tensor:
    draw = torch.Generator().manual_seed(0)
    if network == "transformer":
        return torch.randint(WORDS, (n, 6), generator=draw).float()
    return torch.randn(n, 1, 28, 28, generator=draw)


def _targets(network: str, n: int = 5) -> Tensor:
    shape = (n, 6) if network == "transformer" else (n,)
    return torch.randint(WORDS, shape, generator=torch.Generator().manual_seed(1))


def _resnet_size(depth: int, width: int, channels: int, classes: int) -> int:
    """Kernels and twice a number a channel of batch norm, then the linear layer."""
    size, before = 9 * channels * width + 2 * width, width
    for after in (width, 2 * width, 4 * width):
        for _ in range((depth - 2) // 6):
            size += 9 * (before + after) * after + 2 * 2 * after
            before = after
    return size + (before + 1) * classes


def _block_size(dim: int) -> int:
    return 2 * 2 * dim + (3 * dim + dim) * (dim + 1) + 4 * dim * (dim + 1) + dim * (4 * dim + 1)


@pytest.mark.parametrize(("depth", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7)])
def test_resnet_has_the_published_sizes(depth, millions):
    """He et al. 2016, table 6."""
    places = 1 if depth == 110 else 2
    assert round(_size("resnet", depth=depth, width=16, channels=3) / 1e6, places) == millions


@pytest.mark.parametrize("options", [(8, 16, 1, 10), (8, 8, 1, 10), (14, 5, 2, 3), (20, 16, 3, 10)])
def test_resnet_has_as_many_parameters_as_its_layers_add_up_to(options):
    assert _size("resnet", **dict(zip(("depth", "width", "channels", "classes"), options, strict=True))) == (
        _resnet_size(*options)
    )


@pytest.mark.parametrize("depth", [8, 20])
def test_resnet_has_so_many_layers_with_weights(depth):
    layers = [layer for layer in _built("resnet", depth=depth).modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert len(layers) == depth


def test_resnet_halves_sides_and_doubles_channels_twice():
    network, shapes = _built("resnet", depth=14), []
    for block in network:
        if hasattr(block, "layers"):
            block.register_forward_hook(lambda _, given, gives: shapes.append(list(gives.shape[1:])))
    network(_inputs("resnet"))
    assert shapes == [[4, 28, 28]] * 2 + [[8, 14, 14]] * 2 + [[16, 7, 7]] * 2


def test_a_residual_block_without_weights_is_its_shortcut():
    blocks = [block for block in _built("resnet") if hasattr(block, "layers")]
    images = torch.rand(2, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    for block in blocks[:2]:
        for parameter in block.parameters():
            nn.init.zeros_(parameter)
    assert torch.equal(blocks[0](images), images)
    assert torch.equal(blocks[1](images)[:, :4], images[:, :, ::2, ::2])
    assert not blocks[1](images)[:, 4:].any()


@pytest.mark.parametrize(("dim", "depth", "patch", "side"), [(8, 1, 7, 28), (12, 3, 2, 6)])
def test_vit_has_as_many_parameters_as_its_layers_add_up_to(dim, depth, patch, side):
    tokens = 1 + (side // patch) ** 2
    layers = 2 * patch**2 * dim + dim, dim, tokens * dim, depth * _block_size(dim), 2 * dim, 3 * (dim + 1)
    options = {"dim": dim, "depth": depth, "patch": patch, "side": side, "channels": 2, "classes": 3, "heads": 2}
    assert _size("vit", **options) == sum(layers)


@pytest.mark.parametrize(("dim", "depth", "context"), [(8, 1, 6), (12, 3, 9)])
def test_a_transformer_has_as_many_parameters_as_its_layers_add_up_to(dim, depth, context):
    layers = WORDS * dim, context * dim, depth * _block_size(dim), 2 * dim, WORDS * dim
    options = {"vocabulary": WORDS, "context": context, "dim": dim, "depth": depth}
    assert _size("transformer", **options) == sum(layers)


@NETWORKS
def test_outputs_have_classes_in_the_second_place(network):
    shape = {"transformer": (5, WORDS, 6)}.get(network, (5, 10))
    assert _built(network)(_inputs(network)).shape == shape


@pytest.mark.parametrize("causal", [False, True])
def test_a_block_is_torchs_encoder_layer(causal):
    torch.manual_seed(0)
    block = AttentionBlock(dim=8, heads=2, causal=causal).double()
    torchs = nn.TransformerEncoderLayer(8, 2, 32, 0.0, "gelu", batch_first=True, norm_first=True).double()
    own = [block.norm, block.out, *(layer for layer in block.perceptron if not isinstance(layer, nn.GELU))]
    theirs = torchs.norm1, torchs.self_attn.out_proj, torchs.norm2, torchs.linear1, torchs.linear2
    for one, other in zip(own, theirs, strict=True):
        nn.init.normal_(one.weight)
        other.load_state_dict(one.state_dict())
    torchs.self_attn.in_proj_weight.data = block.together.weight.data
    torchs.self_attn.in_proj_bias.data = block.together.bias.data
    tokens = torch.randn(3, 5, 8, dtype=torch.float64)
    mask = nn.Transformer.generate_square_subsequent_mask(5, dtype=torch.float64) if causal else None
    torch.testing.assert_close(block(tokens), torchs(tokens, src_mask=mask), rtol=1e-10, atol=1e-10)


def test_vit_cuts_an_image_into_its_patches():
    patches = next(iter(_built("vit", patch=2, side=4, channels=3)))
    images = torch.arange(2 * 3 * 4 * 4.0).view(2, 3, 4, 4)
    found = patches(images)
    for place, (row, column) in enumerate([(0, 0), (0, 2), (2, 0), (2, 2)]):
        assert torch.equal(found[:, place], images[:, :, row : row + 2, column : column + 2].flatten(1))


def test_vit_tells_apart_images_whose_patches_are_shuffled():
    network, images = _built("vit"), _inputs("vit")
    assert (network(images) - network(images.roll(7, dims=3))).abs().max() > 1e-4


def test_an_output_of_a_transformer_depends_on_its_own_and_earlier_tokens_alone():
    network, tokens = _built("transformer"), _inputs("transformer")
    for place in range(6):
        changed = tokens.clone()
        changed[:, place] = (changed[:, place] + 1) % WORDS
        differs = (network(changed) - network(tokens)).abs().amax(dim=(0, 1)) > 1e-6
        assert differs.tolist() == [later >= place for later in range(6)]


def test_a_shorter_sequence_has_the_outputs_of_a_longer_ones_beginning():
    network, tokens = _built("transformer"), _inputs("transformer")
    torch.testing.assert_close(network(tokens[:, :4]), network(tokens)[:, :, :4], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float32])
def test_tokens_may_be_of_any_type(dtype):
    network, tokens = _built("transformer"), _inputs("transformer")
    assert torch.equal(network(tokens.to(dtype)), network(tokens))


@NETWORKS
def test_losses_of_examples_are_those_of_a_loop(network):
    built, inputs, targets = _built(network), _inputs(network), _targets(network)
    rows = Rows(inputs, targets, torch.tensor(0.0), torch.tensor(1.0))
    losses, accuracy = evaluate(built, rows, functional.cross_entropy, batch_size=2)
    wanted, right = [], []
    with torch.no_grad():
        for image, classes in zip(inputs, targets.view(5, -1), strict=True):
            logits = built(image[None])[0].view(-1, len(classes)).double()  # [classes, tokens]
            told = [logits[:, place].log_softmax(0)[each] for place, each in enumerate(classes.tolist())]
            wanted.append(-sum(told) / len(told))
            right += (logits.argmax(0) == classes).tolist()
    torch.testing.assert_close(losses, torch.stack(wanted), rtol=1e-5, atol=1e-5)
    assert accuracy == pytest.approx(sum(right) / len(right))
    torch.testing.assert_close(losses.mean().float(), functional.cross_entropy(built(inputs), targets))


@NETWORKS
@pytest.mark.parametrize("initialisation", ["xavier_uniform", "layers_own"])
def test_a_seed_gives_the_same_network_to_the_bit(network, initialisation):
    known = {"architecture": network, "options": OPTIONS[network], "initialisation": initialisation}
    pool = PoolSettings.model_construct(**known)
    one, same, other = (initial_network(pool, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


@NETWORKS
def test_a_loss_can_be_differentiated_twice_in_each_weight(network):
    built = _built(network).double()
    inputs, targets = _inputs(network, 2).double(), _targets(network, 2)
    weights = list(built.parameters())
    slopes = torch.autograd.grad(functional.cross_entropy(built(inputs), targets), weights, create_graph=True)
    curved = torch.autograd.grad(sum(slope.square().sum() for slope in slopes), weights)
    assert all(each.isfinite().all() for each in curved)
    assert sum(each.abs().sum() for each in curved) > 0


@NETWORKS
def test_several_models_at_once_have_their_own_outputs(network):
    built, inputs = _built(network), _inputs(network, 2)
    states = torch.func.stack_module_state([built, _built(network)])
    outputs = torch.func.vmap(lambda *state: torch.func.functional_call(built, state, inputs))(*states)
    torch.testing.assert_close(outputs[1], built(inputs), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("network", "options", "line"),
    [
        ("resnet", {"depth": 9}, "got depth 9, wanted 6 n + 2: 8, 14, 20 or more"),
        ("resnet", {"depth": 2}, "got depth 2, wanted 6 n + 2: 8, 14, 20 or more"),
        ("vit", {"patch": 5}, "got patch 5 and side 28, wanted a side that is a multiple of patch"),
        ("vit", {"depth": 0}, "got depth 0, wanted at least 1"),
        ("vit", {"heads": 3}, "got dim 8 and heads 3, wanted a dim that is a multiple of heads"),
        ("transformer", {"depth": 0}, "got depth 0, wanted at least 1"),
        ("transformer", {"heads": 0}, "got dim 8 and heads 0, wanted a dim that is a multiple of heads"),
    ],
)
def test_options_that_make_no_network_are_refused(network, options, line):
    with pytest.raises(ValueError, match="do not fit its build") as caught:
        _built(network, **options)
    assert str(caught.value).endswith(line)
