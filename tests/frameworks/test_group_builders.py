"""Groups of the models that people fine-tune: transformers' own, random weights, and peft's adapters."""

import copy
from pathlib import Path

import pytest
import torch

import preheat as ph
from preheat.torch import Scheduler
from preheat.torch.groups import layerwise_decay, lora_plus, muon, mup, no_decay

transformers = pytest.importorskip("transformers")

CURVE = ph.warmup(5, start=0.1) >> ph.decay(15, to=0.1, shape="cosine")
TEXT = torch.tensor(list(Path(transformers.__file__).read_bytes()[:4096]))
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


def bert() -> torch.nn.Module:
    return transformers.BertForMaskedLM(transformers.BertConfig(**SIZES, vocab_size=256, max_position_embeddings=16))


def gpt2(width: int = 16) -> torch.nn.Module:
    config = {"n_embd": width, "n_layer": 2, "n_head": 2, "vocab_size": 256, "n_positions": 16}
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(**config, bos_token_id=0, eos_token_id=0))


def llama(width: int = 16) -> torch.nn.Module:
    sizes = SIZES | {"hidden_size": width, "intermediate_size": 2 * width}
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**sizes, vocab_size=256))


def vit() -> torch.nn.Module:
    config = transformers.ViTConfig(**SIZES, image_size=8, patch_size=4, num_channels=1, num_labels=10)
    return transformers.ViTForImageClassification(config)


def t5() -> torch.nn.Module:
    config = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2, "vocab_size": 256}
    return transformers.T5ForConditionalGeneration(transformers.T5Config(**config, decoder_start_token_id=0))


MODELS = {"bert": bert, "gpt2": gpt2, "llama": llama, "vit": vit}
# the layer of a parameter, from the input; what is not named stands in the head
LAYERS = {
    "bert": (["bert.embeddings"], ["bert.encoder.layer.0"], ["bert.encoder.layer.1"]),
    "gpt2": (["transformer.wte", "transformer.wpe"], ["transformer.h.0"], ["transformer.h.1", "transformer.ln_f"]),
    "llama": (["model.embed_tokens"], ["model.layers.0"], ["model.layers.1", "model.norm"]),
    "vit": (["vit.embeddings"], ["vit.layers.0"], ["vit.layers.1", "vit.layernorm"]),
}


def of(model: torch.nn.Module, groups: list[dict], *keys: str) -> dict[str, tuple]:
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found = [(names[id(one)], tuple(group.get(key) for key in keys)) for group in groups for one in group["params"]]
    assert len(dict(found)) == len(found)
    return dict(found)


def loss(model: torch.nn.Module, seed: int) -> torch.Tensor:
    at = torch.randint(0, len(TEXT) - 16, (4,), generator=torch.Generator().manual_seed(seed))
    tokens = torch.stack([TEXT[i : i + 16] for i in at])
    if model.main_input_name == "pixel_values":
        return model(pixel_values=tokens.repeat(1, 4).view(4, 1, 8, 8) / 128 - 1, labels=tokens[:, 0] % 10).loss
    return model(input_ids=tokens, labels=tokens).loss


@pytest.mark.parametrize("name", [*MODELS, "t5"])
def test_no_decay_is_what_the_trainer_would_exempt(name: str) -> None:
    model = (MODELS | {"t5": t5})[name]()
    decays = set(transformers.Trainer.get_decay_parameter_names(None, model))
    found = of(model, no_decay(model, weight_decay=0.1), "weight_decay")
    assert {one for one, (decay,) in found.items() if decay} == decays & set(found)
    assert set(found) == {one for one, _ in model.named_parameters()}


def test_batch_norms_that_the_trainer_decays_do_not() -> None:
    config = transformers.ResNetConfig(num_channels=1, embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1])
    model = transformers.ResNetForImageClassification(config)
    norms = {f"{name}.weight" for name, one in model.named_modules() if isinstance(one, torch.nn.BatchNorm2d)}
    assert norms
    assert norms <= set(transformers.Trainer.get_decay_parameter_names(None, model))
    assert {of(model, no_decay(model, weight_decay=0.1), "weight_decay")[name] for name in norms} == {(0.0,)}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_trains_by_layers_each_group_at_its_multiple(name: str) -> None:
    torch.manual_seed(0)
    model = MODELS[name]()
    groups = layerwise_decay(model, 0.75, lr=0.01, groups=no_decay(model, weight_decay=0.1))
    layers = LAYERS[name]
    top = len(layers) if any(group["name"].startswith("head") for group in groups) else len(layers) - 1
    for parameter, (rate,) in of(model, groups, "lr").items():
        inside = [i for i, prefixes in enumerate(layers) if parameter.startswith(tuple(f"{one}." for one in prefixes))]
        assert rate == pytest.approx(0.01 * 0.75 ** (top - (inside[0] if inside else len(layers)))), parameter
    given = {group["name"]: group["lr"] for group in groups}
    optimizer = torch.optim.AdamW(groups)
    scheduler = Scheduler(optimizer, "warmup(5, start=0.1) >> decay(15, to=0.1, shape=cosine)")
    losses = []
    for t in range(20):
        losses.append(loss(model, t))
        losses[-1].backward()
        rates = {group["name"]: group["lr"] for group in optimizer.param_groups}
        assert rates == pytest.approx({one: rate * CURVE(t) for one, rate in given.items()}, rel=1e-12)
        optimizer.step()
        optimizer.zero_grad()
        scheduler.step()
    assert losses[-1] < losses[0]


def test_an_encoder_and_a_decoder_are_put_in_order_by_their_user() -> None:
    model = t5()
    with pytest.raises(ph.PreheatError, match=r"encoder\.block, decoder\.block"):
        layerwise_decay(model, 0.5, lr=1.0)
    layers = [f"{stack}.block.{i}" for stack in ("encoder", "decoder") for i in range(2)]
    found = of(model, layerwise_decay(model, 0.5, lr=1.0, layers=layers), "lr")
    assert found["shared.weight"] == (0.0625,)
    assert found["encoder.final_layer_norm.weight"] == found["encoder.block.1.layer.1.layer_norm.weight"] == (0.25,)
    assert found["decoder.final_layer_norm.weight"] == found["decoder.block.1.layer.0.SelfAttention.q.weight"]


def test_muon_and_adamw_train_a_model_under_one_plan() -> None:
    if not hasattr(torch.optim, "Muon"):
        pytest.skip("this torch has no Muon")
    torch.manual_seed(0)
    model = llama()
    matrices, others = muon(model, groups=no_decay(model, weight_decay=0.1))
    inside = {name for name, one in model.named_parameters() if ".layers." in name and one.ndim == 2}
    assert set(of(model, matrices)) == inside
    optimizers = [torch.optim.Muon(matrices, lr=0.02), torch.optim.AdamW(others, lr=0.003)]
    scheduler = Scheduler(optimizers, CURVE)
    losses = []
    for t in range(20):
        losses.append(loss(model, t))
        losses[-1].backward()
        for one, rate in zip(optimizers, (0.02, 0.003), strict=True):
            assert [group["lr"] for group in one.param_groups] == pytest.approx(
                [rate * CURVE(t)] * len(one.param_groups)
            )
            one.step()
            one.zero_grad()
        scheduler.step()
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("extra", [{}, {"bias": "lora_only"}, {"use_dora": True}, {"modules_to_save": ["classifier"]}])
def test_lora_plus_has_the_rates_of_peft(extra: dict) -> None:
    peft = pytest.importorskip("peft")
    from peft.optimizers import create_loraplus_optimizer

    config = transformers.BertConfig(**SIZES, vocab_size=256, max_position_embeddings=16)
    targets = ["query", "value"] if "use_dora" in extra else ["query", "value", "word_embeddings"]
    adapters = peft.LoraConfig(r=2, target_modules=targets, **extra)
    model = peft.get_peft_model(transformers.BertForSequenceClassification(config), adapters)
    theirs = create_loraplus_optimizer(
        model, torch.optim.AdamW, lr=1e-3, loraplus_lr_ratio=16, loraplus_weight_decay=0.1
    )
    ours = lora_plus(model, 16, lr=1e-3, groups=no_decay(model, weight_decay=0.1))
    found = of(model, ours, "lr", "weight_decay")
    rest = of(model, theirs.param_groups, "lr", "weight_decay")
    assert {name: rate for name, (rate, _) in found.items()} == {name: rate for name, (rate, _) in rest.items()}
    two = {name for name in found if "bias" not in name and dict(model.named_parameters())[name].ndim == 2}
    assert {name: found[name] for name in two} == {name: rest[name] for name in two}
    assert {found[name][1] for name in set(found) - two} <= {
        0.0
    }  # peft decays vectors in B that are neither bias nor norm


def test_lora_plus_trains_resumes_and_keeps_its_ratio() -> None:
    peft = pytest.importorskip("peft")

    def build() -> tuple[torch.nn.Module, torch.optim.Optimizer, Scheduler]:
        torch.manual_seed(0)
        model = peft.get_peft_model(
            llama(), peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"], lora_dropout=0.0)
        )
        optimizer = torch.optim.AdamW(lora_plus(model, 16, lr=1e-3))
        return model, optimizer, Scheduler(optimizer, CURVE)

    def train(model: torch.nn.Module, optimizer: torch.optim.Optimizer, scheduler: Scheduler, updates: range) -> None:
        for t in updates:
            loss(model, t).backward()
            rates = {group["name"]: group["lr"] for group in optimizer.param_groups}
            assert rates == pytest.approx({"lora_A": 1e-3 * CURVE(t), "lora_B": 16e-3 * CURVE(t)}, rel=1e-12)
            optimizer.step()
            optimizer.zero_grad()
            scheduler.step()

    parts = build()
    train(*parts, range(8))
    saved = copy.deepcopy([one.state_dict() for one in parts])
    train(*parts, range(8, 20))
    again = build()
    for one, state in zip(again, saved, strict=True):
        one.load_state_dict(state)
    train(*again, range(8, 20))
    for one, other in zip(parts[0].parameters(), again[0].parameters(), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(ph.PreheatError, match="low-rank adapter"):
        mup(parts[0], parts[0], lr=1.0, weight_decay=0.0)


def test_a_transformer_has_the_rates_of_maximal_update_parametrisation() -> None:
    wide = llama(64)
    found = of(wide, mup(wide, llama(16), lr=1.0, weight_decay=0.1), "name", "lr")
    assert found["model.embed_tokens.weight"] == ("input", 1.0)
    assert found["lm_head.weight"] == ("output", 0.25)
    assert {values for name, values in found.items() if "_proj" in name} == {("hidden", 0.25)}
    with pytest.raises(ph.PreheatError, match=r"transformer\.wte\.weight' is an embedding and the output at once"):
        mup(gpt2(64), gpt2(16), lr=1.0, weight_decay=0.1)
    tied = gpt2(64)
    found = of(tied, mup(tied, gpt2(16), lr=1.0, weight_decay=0.1, output_multiplier=True), "lr")
    assert (found["transformer.wte.weight"], found["transformer.h.0.mlp.c_fc.weight"]) == ((1.0,), (0.25,))
    larger = llama(64)
    larger.resize_token_embeddings(512)
    with pytest.raises(ph.PreheatError, match=r"256 rows in the base and 512 here.*same vocabulary"):
        mup(larger, llama(16), lr=1.0, weight_decay=0.1)
