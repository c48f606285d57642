"""The models, as textbook code. Their values are in `conf/model/`."""

from sweeper.models.resnet import cnn, cnn1d, mlp, resnet18, resnet20
from sweeper.models.zoo import densenet, mobilenet, vit_tiny, wide_resnet

__all__ = ["cnn", "cnn1d", "densenet", "mlp", "mobilenet", "resnet18", "resnet20", "vit_tiny", "wide_resnet"]
