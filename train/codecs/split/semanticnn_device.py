"""SemanticNN for a microcontroller: the same host, an encoder that int8 TensorFlow Lite runs.

The method is SemanticNN's (Huang et al. 2025, arXiv 2511.11038). Its GDN, PReLU and power normalization (see
semanticnn.py) need float arithmetic on the device. Batch norm and ReLU6 replace them; the int8 epochs merge the batch
norm into the convolution and train with the board's rounding.
"""

from torch import Tensor, nn

from train.classifiers.architectures import Classifier
from train.codecs.deployable import DeployableCodec, scale_layer
from train.codecs.encoder import ConvEncoder, ConvUnit
from train.codecs.split.semanticnn import SemanticNN
from train.errors import TrainError

# ReLU6's fixed [0, 6] is the latent's int8 range. A batch norm that starts at this mean and deviation reaches both of
# its ends at 2 deviations: hardly any value is clipped, and a Gaussian's 8 centres all lie inside.
MEAN, DEVIATION = 3.0, 1.5


class SemanticNNDevice(SemanticNN, DeployableCodec):
    """SemanticNN whose stem and encoder are int8 convolutions; the stem starts as the classifier's and is trained."""

    def build_encoder(self) -> None:
        """Create the stem and the 4x4 convolution.

        Its values, scaled back by MEAN and DEVIATION, have mean 0 and deviation 1, as the decoder expects them.
        """
        channels, _, _ = self.feature_shape
        code = ConvUnit(channels, channels // 2, 4, 4)
        if code.norm is not None:
            nn.init.constant_(code.norm.weight, DEVIATION)
            nn.init.constant_(code.norm.bias, MEAN)
        self.encoder = ConvEncoder(stem_unit(self.classifier), code)

    def stem(self, images: Tensor) -> Tensor:
        """Compute the encoder's own stem: images (B, 3, H, W) in [0, 1] -> features (B, C, H', W'), clipped at 6."""
        return self.encoder.layers[0](images)

    def encode(self, features: Tensor, ber: Tensor) -> Tensor:
        """Encode features (B, C, H', W') to a code (B, C/2, h, w) in the decoder's units; the BER is not used."""
        return (self.encoder.layers[1](features) - MEAN) / DEVIATION

    def latent_centres(self) -> Tensor:
        """Return the centres (L,) in the units of the encoder's output, as the symbol table needs them."""
        return MEAN + DEVIATION * self.quantizer.centres()

    def scale_logits(self, temperature: float) -> None:
        """Divide all logits by a temperature."""
        scale_layer(self.classifier.last, temperature)

    def encoder_macs(self) -> int:
        """Return the device's multiply-accumulate operations per image, stem included."""
        height, width, _ = self.input_shape
        return self.encoder.macs(height, width)


def stem_unit(classifier: Classifier, channels: slice = slice(None)) -> ConvUnit:
    """Return an int8 layer with the weights of a classifier's stem of 3x3 convolution, batch norm and ReLU or ReLU6.

    channels: of the stem's output, those that the layer computes; by default all. A normalisation of the images is
    merged into the layer, which differs at the border: there, the layer sees black where the stem sees the mean colour.
    Raises TrainError for any other stem.
    """
    match list(classifier.stem.children()):
        case [nn.Conv2d(kernel_size=(3, 3)) as conv, nn.BatchNorm2d() as norm, nn.ReLU() | nn.ReLU6()]:
            weight = conv.weight.detach()[channels]
            unit = ConvUnit(conv.in_channels, len(weight), 3, conv.stride[0])
            assert unit.norm is not None
            unit.norm.load_state_dict({k: v if v.ndim == 0 else v[channels] for k, v in norm.state_dict().items()})
            if classifier.normalize is not None:
                weight = weight / classifier.normalize.std
                assert unit.norm.running_mean is not None
                unit.norm.running_mean += (weight * classifier.normalize.mean).sum((1, 2, 3))
            unit.conv.load_state_dict({"weight": weight})
            return unit
    raise TrainError("an int8 encoder needs a stem of a 3x3 convolution, batch norm and ReLU or ReLU6")
