"""Published pre-training runs of language models: name, schedule, peak, source, whether verified, note."""

from __future__ import annotations

from fractions import Fraction

from preheat.core.constructors import decay, hold, invsqrt, ramp, warmup
from preheat.core.node import Schedule
from preheat.recipes.cycles import multistep
from preheat.recipes.decays import cosine, linear, wsd

Row = tuple[str, Schedule, float | None, str, bool, str]
READ, RECALLED = True, False  # in a public source, or in part from memory

ROWS: tuple[Row, ...] = (
    (
        "transformer_base",
        warmup("4000 steps") >> invsqrt("4000 steps"),
        (512 * 4000) ** -0.5,
        "arXiv:1706.03762",
        RECALLED,
        "d_model 512; the paper's numbers from memory, its formula read in public code.",
    ),
    (
        "bert_base",
        linear(warmup_steps="10k steps"),
        1e-4,
        "arXiv:1810.04805; github.com/google-research/bert",
        RECALLED,
        "Batch 256, 1M steps in all. The peak was read; the lengths are from memory.",
    ),
    (
        "roberta_base",
        linear(warmup_steps="10k steps"),
        5e-4,
        "github.com/facebookresearch/fairseq, examples/roberta",
        RECALLED,
        "Batch 2048, 125k steps in all. The peak was read; the lengths are from memory. The paper warms up for 24k.",
    ),
    (
        "t5",
        hold(1.0, "10k steps") >> invsqrt("10k steps"),
        0.01,
        "arXiv:1910.10683",
        RECALLED,
        "Adafactor; 1/√max(t, 10000), so it begins at its peak. All from memory.",
    ),
    (
        "gpt3",
        warmup("375M tokens") >> decay("260B tokens", to=0.1, shape="cosine") >> hold(0.1),
        6e-5,
        "arXiv:2005.14165",
        RECALLED,
        "The 175B model at batches of 3.2M tokens, 300B tokens in all (125M model: 6e-4). All from memory.",
    ),
    (
        "pythia_1.4b",
        cosine(warmup_ratio=0.01, min_lr_ratio=0.1),
        2e-4,
        "arXiv:2304.01373; github.com/EleutherAI/pythia",
        READ,
        "Batches of 2M tokens, 143k steps in all.",
    ),
    (
        "nanogpt",
        cosine(warmup_steps="2000 steps", start_ratio=1 / 2001, min_lr_ratio=0.1),
        6e-4,
        "github.com/karpathy/nanoGPT",
        READ,
        "GPT-2 124M, 600k steps in all. Its warmup runs update t at (t + 1)/2001, hence the start.",
    ),
    (
        "nanochat",
        wsd(warmup_steps="39 steps", start_ratio=0.025, decay_ratio=0.65, shape="linear", min_lr_ratio=0.05),
        0.02,
        "github.com/karpathy/nanochat",
        READ,
        "The peak of the matrices, under Muon, at 2^19 tokens. Its warmup of 40 runs update t at (t + 1)/40.",
    ),
    (
        "torchtitan_default",
        ramp(0.005, 1.0, "199 steps") >> hold(1.0, "1 step") >> decay(),
        None,
        "github.com/pytorch/torchtitan",
        READ,
        "Its warmup of 200 runs update t at (t + 1)/200 and its decay counts from update 200.",
    ),
    (
        "llama2_7b",
        cosine(warmup_steps="2000 steps", min_lr_ratio=0.1),
        3e-4,
        "arXiv:2307.09288",
        RECALLED,
        "7B and 13B (34B and 70B: 1.5e-4), batches of 4M tokens, 2T in all. All from memory.",
    ),
    (
        "llama3_405b",
        warmup("8000 steps") >> decay(to=0.01, shape="cosine") >> ramp(0.01, 0.0, "40M tokens"),
        8e-5,
        "arXiv:2407.21783",
        RECALLED,
        "Batches of 4M, 8M, then 16M tokens; 1.2M steps planned. The peak was read; the rest is from memory.",
    ),
    (
        "olmo2_7b",
        cosine(warmup_steps="2000 steps", min_lr_ratio=0.1),
        3e-4,
        "arXiv:2501.00656; github.com/allenai/OLMo-core",
        READ,
        "The first stage; the second goes linearly to 0 without warmup. Betas 0.9 and 0.95, weight decay 0.1.",
    ),
    (
        "olmo2_32b",
        cosine(warmup_steps="2000 steps", min_lr_ratio=0.1),
        6e-4,
        "github.com/allenai/OLMo-core",
        READ,
        "The first stage; the second goes linearly to 0 without warmup.",
    ),
    (
        "olmo3_midtraining",
        linear(),
        2.07e-4,
        "github.com/allenai/OLMo-core",
        READ,
        "Goes on from a trained model at a lower rate, hence no warmup.",
    ),
    (
        "deepseek_v2_lite",
        multistep(["80%", "90%"], factor=0.316, warmup_steps="2000 steps"),
        4.2e-4,
        "arXiv:2405.04434; huggingface.co/deepseek-ai/DeepSeek-V2-Lite",
        READ,
        "Batches of 4608 sequences.",
    ),
    (
        "deepseek_v3",
        (warmup("2000 steps") >> hold())
        * (
            hold(1.0, "10T tokens")
            >> decay("4.3T tokens", to=0.1, shape="cosine")
            >> hold(0.1, "333B tokens")
            >> hold(float(Fraction("7.3e-6") / Fraction("2.2e-4")), "167B tokens")
        ),
        2.2e-4,
        "arXiv:2412.19437",
        RECALLED,
        "Batches of 12.6M to 62.9M tokens. The shape was read; the rates are from memory.",
    ),
    (
        "kimi_k2",
        warmup("500 steps") >> hold(1.0, "10T tokens") >> decay("5.5T tokens", to=0.1, shape="cosine"),
        2e-4,
        "arXiv:2507.20534",
        READ,
        "MuonClip, batches of 67M tokens. The annealing to 7e-6 that follows is left out: its shape is not stated.",
    ),
    (
        "smollm1_135m",
        wsd(warmup_steps="2000 steps", decay_ratio=0.2, shape="linear"),
        3e-3,
        "github.com/huggingface/smollm",
        READ,
        "Batches of 1M tokens.",
    ),
    (
        "smollm3_3b",
        wsd(warmup_steps="2000 steps", decay_ratio=0.1, shape="linear"),
        2e-4,
        "huggingface.co/blog/smollm3",
        RECALLED,
        "Batches of 2.36M tokens. Peak and form were read; 2000 steps and 10 % are from memory.",
    ),
    (
        "marin_8b_cooldowns",
        decay("1T tokens", to=0.1) >> ramp(0.1, 1.0, "2000 steps") >> hold() >> decay("1.34T tokens", to=0.01),
        1.7e-3,
        "github.com/marin-community/marin, docs/reports/marin-8b-retro.md",
        READ,
        "From 3.78T tokens on: cooled down, warmed up again with new data, held to 11.1T, cooled down for good.",
    ),
)
