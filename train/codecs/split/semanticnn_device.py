"""SemanticNN for a microcontroller: the same host, an encoder that int8 TensorFlow Lite runs.

GDN, PReLU and power normalization (see semanticnn.py) need float arithmetic on the device. Batch norm and ReLU6 take
their place; the int8 epochs merge the batch norm into the convolution and train with the rounding of the board.
"""

from torch import Tensor, nn

from train.codecs.encoder import ConvEncoder, ConvUnit
from train.codecs.split.semanticnn import SemanticNN
from train.errors import TrainError

# ReLU6's fixed [0, 6] is the latent's int8 range. A batch norm that starts at this mean and deviation reaches both of
# its ends at 2 deviations: hardly a value is clipped, and a Gaussian's 8 centres all lie inside.
MEAN, DEVIATION = 3.0, 1.5


class SemanticNNDevice(SemanticNN):
    """SemanticNN whose stem and encoder are int8 convolutions; the stem starts as the classifier's and is trained."""

    encoder: ConvEncoder

    def build_encoder(self) -> None:
        """The stem and the 4x4 convolution; values of mean 0 and deviation 1 come out, as the decoder expects them."""
        channels, _, _ = self.feature_shape
        code = ConvUnit(channels, channels // 2, 4, 4)
        nn.init.constant_(code.norm.weight, DEVIATION)
        nn.init.constant_(code.norm.bias, MEAN)
        self.encoder = ConvEncoder(stem_unit(self.classifier.stem), code)

    def stem(self, images: Tensor) -> Tensor:
        """The encoder's own: pictures (B, 3, H, W) in [0, 1] -> features (B, C, H', W'), clipped at 6."""
        return self.encoder.layers[0](images)

    def encode(self, features: Tensor, ber: Tensor) -> Tensor:
        """Features (B, C, H', W') -> code (B, C/2, h, w), of the decoder's units."""
        return (self.encoder.layers[1](features) - MEAN) / DEVIATION

    def latent_centres(self) -> Tensor:
        """Centres (L,) in the units of the encoder's output; the symbol table takes it from there to levels."""
        return MEAN + DEVIATION * self.quantizer.centres()

    @property
    def last_layer(self) -> nn.Linear:
        """The classifier's last one, which gives the logits."""
        return [layer for layer in self.classifier.head.modules() if isinstance(layer, nn.Linear)][-1]

    def encoder_macs(self) -> int:
        """Multiply-accumulate operations of the device for one picture, stem included."""
        height, width, _ = self.input_shape
        return self.encoder.macs(height, width)


def stem_unit(stem: nn.Module) -> ConvUnit:
    """The same stem as a layer for int8: a 3x3 convolution, batch norm, ReLU or ReLU6. TrainError for another."""
    parts = list(stem.children())
    kinds = [nn.Conv2d, nn.BatchNorm2d, (nn.ReLU, nn.ReLU6)]
    fits = len(parts) == len(kinds) and all(isinstance(part, kind) for part, kind in zip(parts, kinds, strict=True))
    if not fits or parts[0].kernel_size != (3, 3):
        raise TrainError("semanticnn_device needs a stem of a 3x3 convolution, batch norm and ReLU or ReLU6")
    conv, norm = parts[:2]
    unit = ConvUnit(conv.in_channels, conv.out_channels, 3, conv.stride[0])
    unit.conv.load_state_dict(conv.state_dict())
    unit.norm.load_state_dict(norm.state_dict())
    return unit
