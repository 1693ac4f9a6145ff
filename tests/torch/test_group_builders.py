"""Groups made of a model: which parameter learns at which rate, under the optimizer alone and under a Scheduler."""

import math
import pickle

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

import preheat as ph
from preheat.torch import Scheduler, describe
from preheat.torch.groups import layerwise_decay, lora_plus, muon, mup, no_decay

CURVE = ph.warmup(5, start=0.1) >> ph.decay(15, to=0.1, shape="cosine")


class Block(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.down(self.up(self.norm(x)).relu())


class Language(nn.Module):
    """A transformer's layout: embeddings, blocks, a last norm, a head."""

    def __init__(self, depth: int = 2, width: int = 8, tied: bool = False) -> None:
        super().__init__()
        self.embed, self.place = nn.Embedding(11, width), nn.Parameter(torch.zeros(4, width))
        self.blocks = nn.ModuleList([Block(width) for _ in range(depth)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 11)
        if tied:
            self.head.weight = self.embed.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embed(tokens) + self.place
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def of(model: nn.Module, groups: list[dict], *keys: str) -> dict[str, tuple]:
    """What the groups have, by the name of every parameter; each stands once."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found = [(names[id(one)], tuple(group.get(key) for key in keys)) for group in groups for one in group["params"]]
    assert len(dict(found)) == len(found)
    return dict(found)


def train(model: nn.Module, optimizers: list, scheduler: Scheduler, updates: int) -> list[dict[str, float]]:
    """The rate of every group when its optimizer is stepped, update by update."""
    generator, seen = torch.Generator().manual_seed(0), []
    for _ in range(updates):
        tokens = torch.randint(0, 11, (4, 4), generator=generator)
        nn.functional.cross_entropy(model(tokens).flatten(0, 1), tokens.roll(1, 1).flatten()).backward()
        seen.append({group["name"]: float(group["lr"]) for one in optimizers for group in one.param_groups})
        for one in optimizers:
            one.step()
            one.zero_grad()
        scheduler.step()
    return seen


# -- weight decay -------------------------------------------------------------------------------------------------------


def test_norms_biases_and_vectors_do_not_decay_and_embeddings_by_choice() -> None:
    model = nn.ModuleDict(
        {
            "embed": nn.Embedding(5, 4),
            "conv": nn.Conv2d(1, 4, 2),
            "batch": nn.BatchNorm2d(4),
            "image": nn.LayerNorm((4, 2, 2)),
            "rms": nn.RMSNorm(4),
            "attention": nn.MultiheadAttention(4, 2, add_bias_kv=True),
            "scale": nn.ParameterList([torch.ones(4)]),
            "debias": nn.Linear(4, 4),
        }
    )
    decays = {"embed.weight", "conv.weight", "debias.weight", "attention.in_proj_weight", "attention.out_proj.weight"}
    found = of(model, no_decay(model, weight_decay=0.1), "name", "weight_decay")
    assert {name for name, is_ in found.items() if is_ == ("decay", 0.1)} == decays
    assert {is_ for name, is_ in found.items() if name not in decays} == {("no_decay", 0.0)}
    found = of(model, no_decay(model, embeddings=True, also=["debias.*"]), "weight_decay")
    assert {name for name, is_ in found.items() if is_ == (None,)} == decays - {"embed.weight", "debias.weight"}


def test_what_is_left_to_the_optimizer_is_its_own() -> None:
    optimizer = torch.optim.AdamW(no_decay(Language()), lr=0.2, weight_decay=0.3)
    assert [(group["lr"], group["weight_decay"]) for group in optimizer.param_groups] == [(0.2, 0.3), (0.2, 0.0)]


def test_a_shared_weight_stands_once_and_a_frozen_one_not_at_all() -> None:
    model = Language(tied=True)
    model.blocks[0].requires_grad_(False)
    found = of(model, no_decay(model), "name")
    assert set(found) == {name for name, one in model.named_parameters() if not name.startswith("blocks.0.")}
    assert found["embed.weight"] == ("decay",)
    assert of(model, no_decay(model, also=["head.weight"]), "name")["embed.weight"] == (
        "no_decay",
    )  # by its other name


def test_where_shapes_are_hidden_they_are_found_or_it_is_refused() -> None:
    """As DeepSpeed's stage 3 and FSDP1 hide them; stand-ins, as both need several processes."""
    cut = nn.Module()
    cut.weight = nn.Parameter(torch.zeros(0))
    cut.weight.ds_shape = torch.Size((4, 4))
    assert [group["name"] for group in no_decay(cut)] == ["decay"]
    flat = type("FullyShardedDataParallel", (nn.Linear,), {})(2, 2)
    with pytest.raises(ph.PreheatError, match="use fully_shard"):
        no_decay(nn.Sequential(flat))


# -- layers -------------------------------------------------------------------------------------------------------------


def test_every_layer_has_the_factor_of_that_above_it() -> None:
    model = Language(depth=3)
    found = of(model, layerwise_decay(model, 0.5, lr=0.8), "name", "lr")
    assert found["embed.weight"] == found["place"] == ("embeddings", 0.05)
    assert [found[f"blocks.{i}.up.weight"] for i in range(3)] == [("layer0", 0.1), ("layer1", 0.2), ("layer2", 0.4)]
    assert found["norm.weight"] == ("layer2", 0.4)  # a norm after the last block belongs to it, as in timm
    assert found["head.weight"] == found["head.bias"] == ("head", 0.8)


def test_a_frozen_layer_still_counts() -> None:
    model = Language(depth=3)
    model.head.requires_grad_(False)
    assert of(model, layerwise_decay(model, 0.5, lr=0.8), "lr")["blocks.2.up.weight"] == (0.4,)


def test_without_blocks_the_order_of_the_modules_decides() -> None:
    model = nn.Sequential(
        nn.Linear(4, 4), nn.LayerNorm(4), nn.ReLU(), nn.Sequential(nn.Linear(4, 4), nn.ReLU()), nn.Linear(4, 2)
    )
    found = of(model, layerwise_decay(model, 0.5, lr=1.0), "name", "lr")
    assert found["0.weight"] == found["1.weight"] == ("layer0", 0.25)
    assert (found["3.0.weight"], found["4.weight"]) == (("layer1", 0.5), ("head", 1.0))


class TimmVit(nn.Module):
    """The names and patterns of timm's vision transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.cls_token, self.pos_embed = nn.Parameter(torch.zeros(1, 1, 4)), nn.Parameter(torch.zeros(1, 5, 4))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(1, 4, 2, 2)})
        self.blocks = nn.Sequential(
            *[nn.ModuleDict({"norm1": nn.LayerNorm(4), "fc": nn.Linear(4, 4)}) for _ in range(3)]
        )
        self.norm, self.head = nn.LayerNorm(4), nn.Linear(4, 3)

    def no_weight_decay(self) -> set[str]:
        return {"pos_embed", "cls_token"}

    def group_matcher(self, coarse: bool = False) -> dict:
        blocks = [(r"^blocks\.(\d+)", None), (r"^norm", (99999,))]
        return {"stem": r"^cls_token|reg_token|pos_embed|patch_embed|norm_pre", "blocks": blocks}


class TimmConvNext(nn.Module):
    """The names and patterns of timm's ConvNeXt."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 2, 2), nn.BatchNorm2d(4))
        self.stages = nn.Sequential(*[self.stage(count) for count in (1, 2)])
        self.norm_pre, self.head = nn.BatchNorm2d(4), nn.Linear(4, 2)

    @staticmethod
    def stage(count: int) -> nn.Module:
        blocks = [nn.ModuleDict({"conv": nn.Conv2d(4, 4, 3), "norm": nn.BatchNorm2d(4)}) for _ in range(count)]
        return nn.ModuleDict({"downsample": nn.Conv2d(4, 4, 2), "blocks": nn.Sequential(*blocks)})

    def group_matcher(self, coarse: bool = False) -> dict:
        down, block = (r"^stages\.(\d+)\.downsample", (0,)), (r"^stages\.(\d+)\.blocks\.(\d+)", None)
        return {"stem": r"^stem", "blocks": [down, block, (r"^norm_pre", (99999,))]}


# what `timm.optim.param_groups_layer_decay(model, 0.05, no_weight_decay_list, layer_decay=0.75)` of timm 1.0.31 gave: lr_scale
# of every prefix, and what has weight decay
VIT = {
    **dict.fromkeys(["cls_token", "pos_embed", "patch_embed"], 0.31640625),
    "blocks.0": 0.421875,
    "blocks.1": 0.5625,
    "blocks.2": 0.75,
    "norm": 0.75,
    "head": 1.0,
}
VIT_DECAYS = {
    "patch_embed.proj.weight",
    "blocks.0.fc.weight",
    "blocks.1.fc.weight",
    "blocks.2.fc.weight",
    "head.weight",
}
CONVNEXT = {
    "stem": 0.31640625,
    "stages.0.downsample": 0.421875,
    "stages.0.blocks.0": 0.421875,
    "norm_pre": 0.75,
    "stages.1.downsample": 0.5625,
    "stages.1.blocks.0": 0.5625,
    "stages.1.blocks.1": 0.75,
    "head": 1.0,
}
CONVNEXT_DECAYS = {"stem.0.weight", "head.weight", "stages.0.downsample.weight", "stages.0.blocks.0.conv.weight"}
CONVNEXT_DECAYS |= {"stages.1.downsample.weight", "stages.1.blocks.0.conv.weight", "stages.1.blocks.1.conv.weight"}


@pytest.mark.parametrize(
    ("model", "scales", "decays"),
    [(TimmVit(), VIT, VIT_DECAYS), (nn.ModuleDict({"module": TimmConvNext()}), CONVNEXT, CONVNEXT_DECAYS)],
    ids=["vit", "convnext wrapped"],
)
def test_timms_models_get_timms_numbers(model: nn.Module, scales: dict[str, float], decays: set[str]) -> None:
    groups = layerwise_decay(model, 0.75, lr=1.0, groups=no_decay(model, weight_decay=0.05))
    for name, (rate, decay) in of(model, groups, "lr", "weight_decay").items():
        inner = name.removeprefix("module.")
        (scale,) = (one for prefix, one in scales.items() if inner == prefix or inner.startswith(f"{prefix}."))
        assert (rate, decay) == (scale, 0.05 if inner in decays else 0.0), name


def test_several_lists_of_blocks_are_refused_and_may_be_said() -> None:
    model = nn.ModuleDict(
        {
            "shared": nn.Embedding(5, 8),
            "encoder": nn.ModuleList([Block(), Block()]),
            "decoder": nn.ModuleList([Block()]),
            "out": nn.Linear(8, 5),
        }
    )
    with pytest.raises(ph.PreheatError, match=r"several lists of blocks \(encoder, decoder\).*layers=\['encoder.0', …"):
        layerwise_decay(model, 0.5, lr=1.0)
    found = of(model, layerwise_decay(model, 0.5, lr=1.0, layers=["encoder.0", "encoder.1", "decoder.0"]), "lr")
    assert [found[f"{name}.weight"][0] for name in ("shared", "encoder.0.up", "encoder.1.up", "decoder.0.up", "out")] == [
        0.0625, 0.125, 0.25, 0.5, 1.0
    ]  # fmt: skip
    beside = of(model, layerwise_decay(model, 0.5, lr=1.0, layers=[("encoder.0", "decoder.0"), "encoder.1"]), "lr")
    assert beside["encoder.0.up.weight"] == beside["decoder.0.up.weight"] == (0.25,)
    with pytest.raises(ph.PreheatError, match=r"no module 'encode\.0' has parameters; did you mean"):
        layerwise_decay(model, 0.5, lr=1.0, layers=["encode.0", "encoder.1"])
    with pytest.raises(ph.PreheatError, match=r"'encoder\.1\.\w+\.weight' stands between the layers"):
        layerwise_decay(model, 0.5, lr=1.0, layers=["encoder.0", "decoder.0"])


class Early(nn.Module):
    """A language model whose head was made first."""

    def __init__(self) -> None:
        super().__init__()
        self.lm_head = nn.Linear(8, 5)
        self.embed = nn.Embedding(5, 8)
        self.blocks = nn.ModuleList([Block(), Block()])


@pytest.mark.parametrize(
    "made", [Early, lambda: nn.Sequential(Early()), lambda: _plain("head", "a", "b"), lambda: _plain("a", "head", "b")]
)
def test_a_head_that_was_made_before_the_last_layer_is_refused(made: object) -> None:
    with pytest.raises(ph.PreheatError, match=r"head\.weight' is called a head and was made before the last layer"):
        layerwise_decay(made(), 0.5, lr=1.0)


def _plain(*names: str) -> nn.Module:
    return nn.ModuleDict({name: nn.Linear(2, 2) for name in names})


def test_a_head_that_was_made_first_may_be_named_as_the_last_layer() -> None:
    model = Early()
    with pytest.raises(ph.PreheatError, match="is called a head"):
        layerwise_decay(model, 0.5, lr=1.0, layers=["blocks.0", "blocks.1"])
    found = of(model, layerwise_decay(model, 0.5, lr=1.0, layers=[*model.blocks, "lm_head"]), "lr")
    rates = {name: rate for name, (rate,) in found.items()}
    assert rates["lm_head.weight"] == 1.0
    assert rates["blocks.1.up.weight"] == 0.5
    assert rates["embed.weight"] == 0.125


def test_layers_may_be_modules() -> None:
    model = Language()
    names = [f"blocks.{i}" for i in range(len(model.blocks))]
    by_name, by_module = (layerwise_decay(model, 0.5, lr=1.0, layers=layers) for layers in (names, [*model.blocks]))
    assert of(model, by_name, "name", "lr") == of(model, by_module, "name", "lr")


def test_a_layer_that_is_named_twice_is_refused() -> None:
    model = Language()
    for layers, said in (
        (["blocks.0", "blocks.1", "blocks.1"], "layers has 'blocks.1' twice"),
        (["blocks.0", "blocks.0.up", "blocks.1"], "'blocks.0.up' and 'blocks.0', one in the other"),
        ([Block(), "blocks.1"], "no module Block of another model has parameters"),
        (model.blocks[0], "layers is a list of modules"),
    ):
        with pytest.raises(ph.PreheatError, match=said):
            layerwise_decay(model, 0.5, lr=1.0, layers=layers)


def test_vectors_that_are_stored_with_more_dimensions_have_no_decay() -> None:
    """LayerScale's and GRN's, not a convolution of one channel, nor a matrix with one row."""
    model = nn.Sequential(nn.Conv2d(1, 6, 1, bias=False), nn.Linear(6, 1, bias=False))
    model.scale, model.grn = nn.Parameter(torch.ones(6, 1, 1)), nn.Parameter(torch.ones(1, 1, 1, 6))
    found = of(model, no_decay(model), "name")
    assert [found[name] for name in ("scale", "grn", "0.weight", "1.weight")] == [
        ("no_decay",), ("no_decay",), ("decay",), ("decay",)
    ]  # fmt: skip


def test_a_base_that_is_wider_than_the_model_is_warned_of() -> None:
    with pytest.warns(ph.PreheatWarning, match="the base is wider.*multiplied by 4; the model is the first argument"):
        mup(Language(width=8), Language(width=32), lr=1.0, weight_decay=0.0, inputs=["place"])
    for base in (Language, 8):
        with pytest.raises(ph.PreheatError, match="base is the same model in the width at which"):
            mup(Language(), base, lr=1.0, weight_decay=0.0)


# -- one after the other ------------------------------------------------------------------------------------------------


def test_the_order_in_which_they_are_composed_makes_no_difference() -> None:
    model = Language()
    first = layerwise_decay(model, 0.5, lr=1.0, groups=no_decay(model, weight_decay=0.1))
    second = no_decay(model, groups=layerwise_decay(model, 0.5, lr=1.0))
    assert of(model, first, "name", "lr") == of(model, second, "name", "lr")
    assert [group["name"] for group in first] == [group["name"] for group in second]
    assert [group["name"] for group in first][:3] == ["embeddings/decay", "layer0/decay", "layer0/no_decay"]


def test_what_one_is_given_stays_as_it_was() -> None:
    model = Language()
    given = no_decay(model)
    before = [{**group, "params": list(group["params"])} for group in given]
    layerwise_decay(model, 0.5, lr=1.0, groups=given)
    assert [list(group) for group in given] == [list(group) for group in before]
    assert all(
        a is b
        for one, two in zip(given, before, strict=True)
        for a, b in zip(one["params"], two["params"], strict=True)
    )


def test_groups_of_ones_own_keep_what_they_have() -> None:
    model = Language()
    body = [one for name, one in model.named_parameters() if not name.startswith("head.")]
    mine = [
        {"name": "body", "params": body, "lr": 0.1, "betas": (0.9, 0.95)},
        {"name": "top", "params": model.head.parameters(), "lr": 1.0},
    ]
    found = {group["name"]: group for group in no_decay(model, groups=mine)}
    assert {name: group["lr"] for name, group in found.items()} == {
        "body/decay": 0.1, "body/no_decay": 0.1, "top/decay": 1.0, "top/no_decay": 1.0
    }  # fmt: skip
    assert found["body/no_decay"]["betas"] == (0.9, 0.95)


def test_a_rate_that_is_a_tensor_is_another_in_every_group() -> None:
    groups = no_decay(Language(), lr=torch.tensor(0.5))
    scheduler = Scheduler(optimizer := torch.optim.Adam(groups, foreach=False), CURVE)
    assert optimizer.param_groups[0]["lr"] is not optimizer.param_groups[1]["lr"]
    assert [float(rate) for rate in scheduler.get_last_lr()] == pytest.approx([0.05, 0.05])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda m: layerwise_decay(m, 0.5), "lr= is needed.*write lr=…"),
        (lambda m: layerwise_decay(m, 1.5, lr=1.0), "at most 1, not 1.5"),
        (lambda m: layerwise_decay(m, 0.5, lr=1.0, groups=no_decay(m, lr=1.0)), "and all have, not 1.0; drop lr="),
        (lambda m: layerwise_decay(m, 0.5, groups=layerwise_decay(m, 0.5, lr=1.0)), "has a part 'embeddings' already"),
        (lambda m: no_decay(m, groups=no_decay(m)), "split it once only"),
        (lambda m: no_decay(m, weight_decay=-0.1), "weight_decay is at least 0"),
        (lambda m: no_decay(m, lr=0.0), "lr must be above 0"),
        (lambda m: no_decay(m, also=["ambed.*"]), "no parameter is called 'ambed.*'"),
        (lambda m: no_decay(m, also="embed.weight"), r"write also=\['embed.weight'\]"),
        (lambda m: no_decay(m, groups=muon(m)), "groups is one list of parameter groups"),
        (lambda m: no_decay(m, groups=[{"params": [nn.Parameter(torch.ones(2))]}]), "that is not the model's"),
        (lambda m: no_decay(m, groups=[{"params": [*m.head.parameters(), *m.parameters()]}]), "stands twice"),
        (lambda m: no_decay(m, groups=[{"params": m.parameters(), "lr_scale": 0.5}]), "multiply the group's lr"),
        (lambda m: no_decay(m, groups=[{"params": m.head.parameters()}, {"params": m.norm.parameters()}]), "a name of its own"),
        (lambda m: no_decay(m.requires_grad_(False)), "no trainable parameter"),
        (lambda m: no_decay(m, groups=[{"params": m.head.requires_grad_(False).parameters()}]), "groups have no trainable"),
        (lambda m: no_decay(m.parameters()), "made from a torch.nn.Module"),
        (lambda m: no_decay(nn.LazyLinear(3)), "'weight' has no shape yet; run the model"),
        (lambda m: layerwise_decay(nn.Linear(2, 2), 0.5, lr=1.0), "only one layer.*layers="),
        (lambda m: lora_plus(m, 16, lr=1.0), "no trainable parameter called lora_B"),
        (lambda m: muon(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))), "no trainable matrix in a hidden layer"),
        (lambda m: mup(m, Language(width=4), lr=1.0), "weight_decay= is needed"),
        (lambda m: mup(m, Language(width=4, depth=3), lr=1.0, weight_decay=0.0), "differ in more than their width"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(make: object, said: str) -> None:
    with pytest.raises(ph.PreheatError, match=said):
        make(Language())


# -- under a Scheduler --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("peak", [None, 0.004])
def test_every_group_follows_with_its_own_multiple_at_every_update(peak: float | None) -> None:
    model = Language()
    groups = layerwise_decay(model, 0.75, lr=0.002, groups=no_decay(model, weight_decay=0.1))
    multiples = {group["name"]: group["lr"] / 0.002 for group in groups}
    optimizer = torch.optim.AdamW(groups)
    scheduler = Scheduler(optimizer, CURVE, peak=peak)
    seen = train(model, [optimizer], scheduler, 20)
    top = 0.002 if peak is None else peak
    for t, rates in enumerate(seen):
        assert rates == pytest.approx({name: top * times * CURVE(t) for name, times in multiples.items()}, rel=1e-12)


def test_without_any_scheduler_and_under_torchs_own_the_rates_hold_too() -> None:
    """The reason why the groups have rates and no lr_scale, which is lost there."""
    model = Language()
    optimizer = torch.optim.AdamW(layerwise_decay(model, 0.5, lr=0.8))
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.2, 0.4, 0.8]
    torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == [0.05, 0.1, 0.2, 0.4]
    timms = [
        {"params": [one], "lr_scale": scale} for one, scale in zip(Language().parameters(), [0.5, 1.0], strict=False)
    ]
    other = torch.optim.AdamW(timms, lr=0.8)
    torch.optim.lr_scheduler.LambdaLR(other, lambda t: 0.5)
    assert [group["lr"] for group in other.param_groups] == [0.4, 0.4]


def test_scaled_rates_and_their_lr_scale_at_once_are_warned_about() -> None:
    groups = layerwise_decay(Language(), 0.5, lr=0.8)
    both = [group | {"lr_scale": group["lr"] / 0.8} for group in groups]
    with pytest.warns(ph.PreheatWarning, match="applied twice"):
        Scheduler(torch.optim.AdamW(both), CURVE)


def test_embeddings_and_head_have_lines_of_their_own() -> None:
    model = Language()
    optimizer = torch.optim.AdamW(layerwise_decay(model, 0.5, lr=0.8, groups=no_decay(model, weight_decay=0.1)))
    other = ph.hold(0.5)
    lines = {
        "lr": CURVE,
        "head/lr": ph.relative(other),
        "embeddings/lr": ph.absolute(ph.hold(1e-4)),
        "head/no_decay/lr": ph.hold(),
    }
    scheduler = Scheduler(optimizer, ph.Plan(lines))
    rates = {key.removesuffix("/lr"): value for key, value in scheduler.values().items()}
    assert rates == pytest.approx(
        {
            "embeddings/decay": 1e-4,
            "layer0/decay": 0.02,
            "layer0/no_decay": 0.02,
            "layer1/decay": 0.04,
            "layer1/no_decay": 0.04,
            "head/decay": 0.4,
            "head/no_decay": 0.8,  # the closer name
        }
    )
    with pytest.raises(ph.PreheatError, match=r"names no group; did you mean 'head'\?"):
        Scheduler(optimizer, ph.Plan({"lr": CURVE, "haed/lr": CURVE}))


def test_a_line_for_several_groups_switches_no_decay_on() -> None:
    def build() -> tuple[torch.optim.Optimizer, Scheduler]:
        torch.manual_seed(0)
        model = Language()
        groups = layerwise_decay(model, 0.5, lr=0.8, groups=no_decay(model, weight_decay=0.1))
        optimizer = torch.optim.AdamW(groups)
        plan = ph.Plan({"lr": CURVE, "head/weight_decay": ph.absolute(ph.ramp(0.0, 0.4, 4))})
        return optimizer, Scheduler(optimizer, plan, counts="calls")

    optimizer, scheduler = build()
    for _ in range(2):
        scheduler.step()
    decays = {group["name"]: group["weight_decay"] for group in optimizer.param_groups}
    assert (decays["head/decay"], decays["head/no_decay"], decays["layer1/decay"]) == (0.2, 0.0, 0.1)
    for order in ("scheduler last", "scheduler first"):
        again, resumed = build()
        loads = [(again, optimizer.state_dict()), (resumed, scheduler.state_dict())]
        for target, state in loads if order == "scheduler last" else reversed(loads):
            target.load_state_dict(pickle.loads(pickle.dumps(state)))
        resumed.step()
        decays = {group["name"]: group["weight_decay"] for group in again.param_groups}
        assert (decays["head/decay"], decays["head/no_decay"]) == (pytest.approx(0.3), 0.0)


def test_a_floor_for_several_groups_and_a_closer_one() -> None:
    groups = no_decay(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), lr=1.0)
    for group in groups:
        group["name"] = f"head/{group['name']}"
    rule = ph.Plateau("loss", factor=0.1, patience=0, min_lr={"head": 0.5, "head/no_decay": 0.2})
    scheduler = Scheduler(torch.optim.SGD(groups), ph.hold(), rules=[rule], counts="calls")
    for loss in (1.0, 2.0, 2.0):
        scheduler.step(metrics={"loss": loss})
    assert scheduler.values() == pytest.approx({"head/decay/lr": 0.5, "head/no_decay/lr": 0.2})


def test_stopped_and_resumed_it_goes_on_as_if_it_had_not_been() -> None:
    def build() -> tuple[nn.Module, torch.optim.Optimizer, Scheduler]:
        torch.manual_seed(0)
        model = Language(tied=True)
        optimizer = torch.optim.AdamW(layerwise_decay(model, 0.75, lr=0.002, groups=no_decay(model, weight_decay=0.1)))
        return model, optimizer, Scheduler(optimizer, CURVE)

    model, optimizer, scheduler = build()
    first = train(model, [optimizer], scheduler, 8)
    saved = pickle.dumps((model.state_dict(), optimizer.state_dict(), scheduler.state_dict()))
    again, other, resumed = build()
    for target, state in zip((again, other, resumed), pickle.loads(saved), strict=True):
        target.load_state_dict(state)
    rest = train(again, [other], resumed, 12)
    for t, rates in enumerate(first + rest):
        assert rates["head/no_decay"] == pytest.approx(0.002 * CURVE(t), rel=1e-12)
        assert rates["embeddings/decay"] == pytest.approx(0.002 * 0.75**3 * CURVE(t), rel=1e-12)


@pytest.mark.parametrize("changed", ["factor", "lr", "layers"])
def test_a_state_of_other_groups_is_refused(changed: str) -> None:
    def build(factor: float = 0.75, lr: float = 0.002, depth: int = 2) -> tuple[torch.optim.Optimizer, Scheduler]:
        model = Language(depth)
        optimizer = torch.optim.AdamW(layerwise_decay(model, factor, lr=lr, groups=no_decay(model)))
        return optimizer, Scheduler(optimizer, CURVE, counts="calls")

    optimizer, scheduler = build()
    scheduler.step()
    other, again = build(**{"factor": {"factor": 0.5}, "lr": {"lr": 0.004}, "layers": {"depth": 3}}[changed])
    before = [group["lr"] for group in other.param_groups]
    with pytest.raises(ph.PreheatError):
        again.load_state_dict(scheduler.state_dict())
    assert [group["lr"] for group in other.param_groups] == before
    swapped = torch.optim.AdamW([group | {"name": "other"} for group in optimizer.param_groups])
    follows = Scheduler(swapped, CURVE)  # for as long as it lives
    with pytest.raises(ph.PreheatError, match="is called 'other', and in the optimizer's state 'embeddings/decay'"):
        swapped.load_state_dict(optimizer.state_dict())
    assert follows.last_epoch == 0


def test_describe_shows_the_groups() -> None:
    model = Language()
    lines = str(describe(torch.optim.AdamW(layerwise_decay(model, 0.5, lr=0.8, groups=no_decay(model))))).splitlines()
    assert lines[0] == "AdamW: 7 groups"
    assert [line.split()[0] for line in lines[1:3]] == ["embeddings/decay", "layer0/decay"]
    assert "lr=0.1  " in lines[1]
    assert len({line.index(" parameters") for line in lines[1:]}) == 1  # long names stay in their column


# -- Muon ---------------------------------------------------------------------------------------------------------------


def test_muon_gets_the_hidden_matrices_and_one_plan_drives_both(muon_class: type[torch.optim.Optimizer]) -> None:
    torch.manual_seed(0)
    model = Language()
    matrices, others = muon(model)
    assert set(of(model, matrices)) == {f"blocks.{i}.{key}.weight" for i in range(2) for key in ("up", "down")}
    assert set(of(model, matrices)) | set(of(model, others)) == {name for name, _ in model.named_parameters()}
    optimizers = [muon_class(matrices, lr=0.02), torch.optim.AdamW(others, lr=0.003)]
    scheduler = Scheduler(optimizers, ph.Plan({"lr": CURVE, "others/lr": CURVE * ph.hold(1.0)}))
    seen = train(model, optimizers, scheduler, 20)
    for t, rates in enumerate(seen):
        assert rates == pytest.approx({"matrices": 0.02 * CURVE(t), "others": 0.003 * CURVE(t)}, rel=1e-12)


def test_muon_composes_with_the_others(muon_class: type[torch.optim.Optimizer]) -> None:
    model = Language()
    matrices, others = muon(model, groups=no_decay(model, weight_decay=0.1), to_adamw=["blocks.0.up.*"])
    assert "blocks.0.up.weight" not in of(model, matrices)
    first, second = (
        layerwise_decay(model, 0.5, lr=0.02, groups=matrices),
        layerwise_decay(model, 0.5, lr=0.8, groups=others),
    )
    assert [(group["name"], group["lr"]) for group in first] == [
        ("layer0/matrices/decay", 0.005), ("layer1/matrices/decay", 0.01)
    ]  # fmt: skip
    scheduler = Scheduler(
        [muon_class(first), torch.optim.AdamW(second)], ph.Plan({"lr": CURVE, "layer0/lr": ph.hold()})
    )
    values = scheduler.values()
    assert values["layer0/matrices/decay/lr"] == pytest.approx(0.005)
    assert values["layer0/others/no_decay/lr"] == pytest.approx(0.2)
    assert values["layer1/matrices/decay/lr"] == pytest.approx(0.01 * CURVE(0))


def test_of_a_plain_sequence_the_first_and_the_last_layer_are_not_hidden() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.Conv1d(8, 8, 1), nn.Linear(8, 2))
    assert set(of(model, muon(model)[0])) == {"2.weight"}


# -- maximal update parametrisation -------------------------------------------------------------------------------------


def mlp(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Embedding(11, width),
        nn.Linear(width, 3 * width),
        nn.LayerNorm(3 * width),
        nn.Linear(3 * width, width, bias=False),
        nn.Linear(width, 7),
    )


def test_the_rates_are_those_of_the_mup_package_and_of_table_3() -> None:
    """mup 1.0.0, MuAdamW(lr=0.01, weight_decay=0.1), base width 32, width 128: 0.0025 and 0.4 for hidden weights, 0.01 and 0.1
    for all else, its MuReadout multiplying the output. Without that the output is as the hidden (Table 3)."""
    wide, base = mlp(128), mlp(32)
    found = of(wide, mup(wide, base, lr=0.01, weight_decay=0.1, output_multiplier=True), "lr", "weight_decay")
    hidden = {"1.weight", "3.weight"}
    assert found == {name: (0.0025, 0.4) if name in hidden else (0.01, 0.1) for name, _ in wide.named_parameters()}
    found = of(wide, mup(wide, base, lr=0.01, weight_decay=0.1), "lr", "weight_decay")
    assert {name for name, values in found.items() if values == (0.0025, 0.4)} == hidden | {"4.weight"}
    assert set(of(base, mup(base, mlp(32), lr=0.01, weight_decay=0.1), "lr").values()) == {(0.01,)}


def test_an_output_with_a_multiplier_trains_as_one_with_its_rate() -> None:
    """Adam does not see the scale of a gradient, so the two forms of muP are one training: Table 3 and Table 8."""
    torch.manual_seed(0)
    wide, ratio = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1, bias=False)), 8 / 32
    base = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1, bias=False))
    x, y, ends = torch.randn(64, 4), torch.randn(64, 1), []
    start = {key: value.clone() for key, value in wide.state_dict().items()}
    for multiplied in (False, True):
        wide.load_state_dict(start)
        if multiplied:
            with torch.no_grad():
                wide[2].weight /= ratio
        groups = mup(wide, base, lr=0.01, weight_decay=0.0, output_multiplier=multiplied)
        optimizer = torch.optim.AdamW(groups, eps=1e-30)
        for _ in range(10):
            optimizer.zero_grad()
            (wide(x) * (ratio if multiplied else 1.0) - y).square().mean().backward()
            optimizer.step()
        ends.append(wide(x).detach() * (ratio if multiplied else 1.0))
    assert torch.allclose(*ends, atol=1e-5)


def test_what_is_the_input_of_a_weight_depends_on_its_module() -> None:
    class Conv1D(nn.Module):  # as transformers' GPT-2 has it: input first
        def __init__(self, source: int, out: int) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(source, out))

    def build(width: int) -> nn.Module:
        return nn.ModuleDict(
            {
                "in": Conv1D(3, width),
                "out": Conv1D(width, 3),
                "up": nn.ConvTranspose2d(width, 5, 2),
                "depthwise": nn.Conv2d(width, width, 3, groups=width),
                "lstm": nn.LSTM(3, width),
                "token": nn.ParameterList([torch.zeros(1, 1, width)]),
            }
        )

    wide = build(16)
    found = of(wide, mup(wide, build(4), lr=1.0, weight_decay=0.0), "lr")
    slower = {"out.weight", "up.weight", "lstm.weight_hh_l0"}
    assert found == {name: (0.25 if name in slower else 1.0,) for name, _ in wide.named_parameters()}


def test_what_cannot_be_seen_is_refused_and_may_be_said() -> None:
    wide, base = Language(width=16), Language(width=4)
    with pytest.raises(ph.PreheatError, match=r"'place' of Language is \(4, 4\).*write inputs=\['place'\]"):
        mup(wide, base, lr=1.0, weight_decay=0.0)
    found = of(wide, mup(wide, base, lr=1.0, weight_decay=0.0, inputs=["place"]), "lr", "name")
    assert (found["place"], found["head.weight"]) == ((1.0, "input"), (0.25, "output"))
    assert of(wide, mup(wide, base, lr=1.0, weight_decay=0.0, outputs=["place"]), "lr")["place"] == (0.25,)
    tied, narrow = Language(width=16, tied=True), Language(width=4, tied=True)
    with pytest.raises(ph.PreheatError, match=r"'embed.weight' is an embedding and the output at once.*untie"):
        mup(tied, narrow, lr=1.0, weight_decay=0.0, inputs=["place"])
    groups = mup(tied, narrow, lr=1.0, weight_decay=0.0, inputs=["place"], output_multiplier=True)
    assert of(tied, groups, "lr")["embed.weight"] == (1.0,)
    with pytest.raises(ph.PreheatError, match="reparametrised"):
        mup(weight_norm(nn.Linear(16, 16)), weight_norm(nn.Linear(4, 4)), lr=1.0, weight_decay=0.0)


def test_widths_that_grow_unequally_have_groups_of_their_own() -> None:
    def build(width: int, inner: int) -> nn.Module:
        return nn.Sequential(nn.Linear(width, inner), nn.Linear(inner, width))

    wide = build(8, 64)
    groups = mup(wide, build(4, 8), lr=1.0, weight_decay=0.1, groups=no_decay(wide))
    assert {group["name"]: (group["lr"], group["weight_decay"]) for group in groups} == {
        "input/no_decay": (1.0, 0.0), "hidden/x0.125/decay": (0.125, 0.8), "hidden/x0.5/decay": (0.5, 0.2)
    }  # fmt: skip
    scheduler = Scheduler(torch.optim.AdamW(groups), ph.Plan({"lr": ph.hold(), "hidden/lr": ph.relative(ph.hold(0.5))}))
    assert list(scheduler.values().values()) == [1.0, 0.0625, 0.25]


BASE, WIDTHS = 32, (32, 64, 128, 256)


def perceptron(width: int, outputs: int = 10) -> nn.Sequential:
    sizes = [(64, width), (width, width), (width, width)]
    inner = [layer for pair in sizes for layer in (nn.Linear(*pair), nn.ReLU())]
    return nn.Sequential(*inner, nn.Linear(width, outputs))


def learned(width: int, lr: float, updates: int, with_mup: bool, seed: int) -> tuple[nn.Sequential, list[float], float]:
    """A model trained on handwritten digits, how much its activations have moved, layer by layer, and its loss."""
    from sklearn.datasets import load_digits

    images, labels = (torch.tensor(one) for one in load_digits(return_X_y=True))
    images = (images.float() - images.float().mean(0)) / images.float().std()
    torch.manual_seed(seed)
    model = perceptron(width)
    if with_mup:
        with torch.no_grad():
            model[-1].weight *= math.sqrt(BASE / width)  # std 1/fan_in, where torch has 1/√fan_in
        groups = mup(model, perceptron(BASE), lr=lr, weight_decay=0.0)
    else:
        groups = [{"params": list(model.parameters()), "lr": lr}]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
    seen, before = images[:256], []
    for after in (False, True):
        x, sizes = seen, []
        with torch.no_grad():
            for layer in model:
                x = layer(x)
                sizes += [x] if isinstance(layer, nn.Linear) else []
        before.append(sizes)
        for _ in range(0 if after else updates):
            batch = torch.randint(0, len(images), (64,))
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
            optimizer.step()
    moved = [float((now - then).abs().mean()) for then, now in zip(*before, strict=True)]
    with torch.no_grad():
        return model, moved, float(nn.functional.cross_entropy(model(images), labels))


def growth(with_mup: bool) -> list[float]:
    """By which power of the width the activations of each layer move within 4 updates, over three seeds."""
    moved = [[learned(width, 5e-3, 4, with_mup, seed)[1] for seed in range(3)] for width in WIDTHS]
    sizes = torch.tensor(moved).mean(1).log()
    widths = torch.tensor(WIDTHS, dtype=torch.float32).log()
    centred = widths - widths.mean()
    return ((centred[:, None] * sizes).sum(0) / centred.square().sum()).tolist()


def test_the_coordinate_check_activations_move_alike_at_every_width() -> None:
    """Yang et al. 2022, appendix D: flat in the width, where under the usual parametrisation they move the more the wider."""
    assert growth(with_mup=True) == pytest.approx([0.0] * 4, abs=0.2)
    assert min(growth(with_mup=False)[1:]) > 0.5


def test_the_best_rate_of_the_narrow_model_is_that_of_the_wide_one() -> None:
    def best(width: int, with_mup: bool) -> int:
        losses = {k: learned(width, 2.0**k, 20, with_mup, 0)[2] for k in range(-10, -1)}
        return min(losses, key=losses.__getitem__)

    narrow = best(32, True)
    assert abs(best(256, True) - narrow) <= 1
    assert narrow - best(256, False) >= 2
