"""ultralytics' args.yaml: lr0, lrf, momentum, the warmup_* keys, epochs, batch, nbs, cos_lr. Ticks are batches."""

from __future__ import annotations

import math
from typing import Any

from preheat.compat import ultralytics
from preheat.compat.configs.files import Config
from preheat.compat.configs.reading import Given, Keys, Reading
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.spans import Run

_TOLD = ("lr0", "lrf")
_HARMLESS = [
    "task",
    "mode",
    "model",
    "data",
    "patience",
    "imgsz",
    "save",
    "save_period",
    "cache",
    "device",
    "workers",
    "project",
    "name",
    "exist_ok",
    "pretrained",
    "cls_remap",
    "verbose",
    "seed",
    "deterministic",
    "single_cls",
    "rect",
    "close_mosaic",
    "resume",
    "amp",
    "profile",
    "freeze",
    "multi_scale",
    "compile",
    "channels_last",
    "overlap_mask",
    "mask_ratio",
    "dropout",
    "val",
    "split",
    "save_json",
    "save_hybrid",
    "conf",
    "iou",
    "max_det",
    "half",
    "quantize",
    "dnn",
    "plots",
    "nms",
    "source",
    "vid_stride",
    "stream_buffer",
    "visualize",
    "augment",
    "agnostic_nms",
    "classes",
    "retina_masks",
    "embed",
    "show",
    "save_frames",
    "save_txt",
    "save_conf",
    "save_crop",
    "show_labels",
    "show_conf",
    "show_boxes",
    "line_width",
    "format",
    "keras",
    "optimize",
    "int8",
    "dynamic",
    "simplify",
    "opset",
    "workspace",
    "weight_decay",
    "distill_model",
    "dis",
    "box",
    "cls",
    "cls_pw",
    "dfl",
    "pose",
    "kobj",
    "rle",
    "angle",
    "dlog",
    "dgrad",
    "dlam",
    "label_smoothing",
    "hsv_h",
    "hsv_s",
    "hsv_v",
    "degrees",
    "translate",
    "scale",
    "shear",
    "perspective",
    "flipud",
    "fliplr",
    "bgr",
    "mosaic",
    "mixup",
    "cutmix",
    "copy_paste",
    "copy_paste_mode",
    "auto_augment",
    "erasing",
    "crop_fraction",
    "cfg",
    "tracker",
    "save_dir",
]


def recognises(config: Config) -> bool:
    """Whether lr0 and lrf stand in it, which nobody else calls so."""
    return config.kind == "yaml" and all(key in config.data for key in _TOLD)


def read(config: Config, given: Given) -> Reading:
    """The trainer's rates: `steps_per_epoch` batches an epoch, or `samples` images."""
    keys = Keys(config.data)
    findings: list[Finding] = []
    epochs, batch = keys.whole("epochs", 100), keys.number("batch", 16)
    if keys.number("time", 0):
        what = "hours to train, by which the trainer changes the epochs as it goes"
        findings.append(Finding("not-carried", "time", what, "give epochs"))
    optimizer = str(keys.get("optimizer", "auto"))
    arguments: dict[str, Any] = {
        "epochs": epochs,
        "nb": _batches(batch, given, _share(keys, given, findings)),
        "optimizer": optimizer,
        "batch": int(batch),
        "nbs": keys.whole("nbs", 64),
        "cos_lr": bool(keys.get("cos_lr", False)),
        "images": None if given.samples is None else round(given.samples * keys.number("fraction", 1.0)),
    }
    defaults = {"lr0": 0.01, "lrf": 0.01, "momentum": 0.937, "warmup_epochs": 3.0}
    defaults |= {"warmup_momentum": 0.8, "warmup_bias_lr": 0.1}
    arguments |= {key: keys.number(key, default) for key, default in defaults.items()}
    if optimizer.lower() == "auto" and given.base_lr is not None:
        what = "'auto' chooses by the data set; the rate that was given is taken, with SGD's momentum"
        findings.append(Finding("assumed", "optimizer", what))
        arguments |= {"optimizer": "SGD", "lr0": given.base_lr, "momentum": 0.9, "warmup_bias_lr": 0.0}
    restated = ultralytics.trainer(**arguments)
    run = Run(total=epochs * arguments["nb"], steps_per_epoch=arguments["nb"])
    if given.total not in (None, run.total):
        raise PreheatError(f"the config says {run.total} batches, not {given.total}", write="leave total out")
    return Reading.of(restated, run, [*findings, *keys.left(_HARMLESS)], "ultralytics")


def _share(keys: Keys, given: Given, findings: list[Finding]) -> float:
    """The share of the images that is trained on."""
    share = keys.number("fraction", 1.0)
    if not 0 < share <= 1:
        raise PreheatError("fraction is above 0, and at most 1", given=share)
    if share < 1 and given.samples is not None and given.steps_per_epoch is None:
        what = f"an epoch is {round(given.samples * share)} of the {given.samples} images"
        findings.append(Finding("assumed", "fraction", what, "give samples= of the whole set"))
    return share


def _batches(batch: float, given: Given, share: float) -> int:
    if given.steps_per_epoch is not None:
        return int(given.steps_per_epoch)
    if given.samples is None:
        what = "the config does not say how many batches an epoch has"
        raise PreheatError(
            what, write="write steps_per_epoch= (--steps-per-epoch), or samples= (--samples), the images"
        )
    if batch < 1:
        raise PreheatError(
            "the batch is chosen by the memory of the device", given=batch, write="write steps_per_epoch=…"
        )
    return math.ceil(round(given.samples * share) / batch)
