"""The backbones that Luban knows by name (group ``luban.backbones``), one file each."""

TASKS = ("binary", "multiclass", "multilabel", "regression")
"""What every backbone serves."""

TEXT_TASKS = (*TASKS, "tokens", "matching")

ATTENTION_WAYS = (
    "linear_probe",
    "full",
    "lora",
    "dora",
    "adalora",
    "ia3",
    "adapter",
    "prefix",
    "prompt",
    "bitfit",
    "few_shot",
    "zero_shot",
)
"""Ways that suit a text encoder made of attention layers."""

CONVOLUTION_WAYS = ("linear_probe", "full", "lora", "dora", "adalora", "bitfit", "few_shot")
"""Ways that suit a convolutional net."""

SOUND_WAYS = ("linear_probe", "full", "lora", "dora", "adalora", "ia3", "adapter", "prefix", "bitfit", "few_shot")
"""Ways that suit an encoder of sounds made of attention layers."""

PICTURE_WAYS = SOUND_WAYS
"""Ways that suit an encoder of pictures made of attention layers."""
