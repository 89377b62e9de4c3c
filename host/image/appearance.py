"""An image as a viewer shows it: all sample depths, transparency, palettes, orientation and colour profiles."""

import io

import numpy as np
from PIL import ExifTags, Image, ImageCms, TiffImagePlugin

# Formats whose 16-bit samples cover the whole range from black to white. Others are signed, as FITS, or have no range.
FORMATS_OF_16_BITS = ("JPEG2000", "PNG", "PPM", "TIFF")
UNSIGNED, SIGNED, WHITE_IS_ZERO = 1, 2, 0  # values of the TIFF tags SampleFormat and PhotometricInterpretation
UNPACKED_LEVELS = {"L;2": 85, "L;4": 17}  # Pillow's factor from the levels of a PNG of 2 or 4 bits to 8 bits
FORMATS_OF_UNUSED_ALPHA = ("BMP", "DIB", "TGA")  # some programs leave the fourth byte of a pixel at 0
TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
PROFILE_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # Pillow's mode by a profile's space
SRGB_GAMMA, GAMMA_TOLERANCE = 1 / 2.2, 0.05


def as_shown(image: Image.Image) -> Image.Image:
    """Return an open image file as a viewer shows it on white: upright, 8 bits per channel, sRGB.

    The mode is L, RGB or another that Pillow converts to both. Raises ValueError for samples without a known range,
    and whatever Pillow raises for a damaged file.
    """
    bits, inverted = _sample_depth(image)
    clear_level = _transparent_level(image)
    image.load()
    orientation, profile, gamma = _orientation(image), image.info.get("icc_profile"), _gamma(image)
    kind = image.format
    if clear_level is not None:
        image.info["transparency"] = clear_level
    shown = _with_8_bits(image, bits, inverted)
    alpha, plain = None, "L" if shown.mode in ("1", "L", "LA") else "RGB"
    if shown.has_transparency_data:
        shown = shown.convert("RGBA")
        alpha = shown.getchannel("A")
        if kind in FORMATS_OF_UNUSED_ALPHA and not alpha.getbbox():
            alpha = None
        shown = shown.convert(plain)
    elif shown.mode not in ("L", "RGB", "CMYK"):  # a palette, CIELAB, YCbCr, one bit
        shown = shown.convert(plain)
    shown = _in_srgb(shown, profile) if profile else _with_gamma(shown, gamma)
    if alpha is not None:
        white = Image.new("RGB", shown.size, "white")
        white.paste(shown.convert("RGB"), mask=alpha)
        shown = white
    return shown.transpose(TRANSPOSES[orientation]) if orientation in TRANSPOSES else shown


def _sample_depth(image: Image.Image) -> tuple[int, bool]:
    """Return the bits of a sample in a pixel of 16 bits, and whether Pillow leaves such samples inverted.

    Raises ValueError if the range of the samples is unknown.
    """
    bits, inverted = 16, False
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        formats = image.tag_v2.get(TiffImagePlugin.SAMPLEFORMAT, (UNSIGNED,))
        if SIGNED in (formats if isinstance(formats, tuple) else (formats,)):
            raise ValueError("pixels are signed integers, whose black and white are unknown; save it as unsigned")
        # Pillow maps a file whose name it knows into memory, and then mixes up height and width of a turned image.
        image.filename = ""
        bits = image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (16,))[0]
        inverted = image.tag_v2.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == WHITE_IS_ZERO
    if image.mode == "F":
        raise ValueError("pixels are floating-point numbers; integers are supported")
    if image.mode.startswith("I") and (image.format not in FORMATS_OF_16_BITS or bits > 16):
        raise ValueError("pixels are integers whose black and white are unknown; save it with 8 or 16 bits per channel")
    return bits, inverted


def _with_8_bits(image: Image.Image, bits: int, inverted: bool) -> Image.Image:
    """Return an image of 8 bits per channel. Pillow's own conversion turns most of 16 bits into white."""
    if not image.mode.startswith("I"):
        return image
    samples = np.asarray(image)
    levels = (samples >> (bits - 8)).astype(np.uint8)
    grey = Image.fromarray(0xFF - levels if inverted else levels)
    if "transparency" in image.info:  # of all 16 bits: equal upper bits do not make a sample transparent
        alpha = np.where(samples == image.info["transparency"], 0, 0xFF).astype(np.uint8)
        grey = Image.merge("LA", (grey, Image.fromarray(alpha)))
    return grey


def _transparent_level(image: Image.Image) -> int | tuple[int, ...] | None:
    """Return the transparent level or colour of a PNG in the depth that Pillow unpacks it to; None: as it is."""
    level = image.info.get("transparency")
    if image.format != "PNG" or level is None or not image.tile:  # type: ignore[attr-defined]
        return None
    unpacked_from = image.tile[0][3]  # type: ignore[attr-defined]
    if unpacked_from in UNPACKED_LEVELS:
        return level * UNPACKED_LEVELS[unpacked_from]
    if unpacked_from == "RGB;16B":
        return tuple(value >> 8 for value in level)
    return None


def _orientation(image: Image.Image) -> int:
    """Return the orientation of a loaded image, 1 to 8 as in Exif; 1 if the metadata are damaged."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a viewer shows the pixels anyway; Pillow's parsers have no common error class
        return 1


def _gamma(image: Image.Image) -> float | None:
    """Return the gamma with which a PNG was encoded, None if it is that of sRGB or not stated."""
    gamma = image.info.get("gamma")
    if not gamma or "srgb" in image.info or abs(gamma / SRGB_GAMMA - 1) <= GAMMA_TOLERANCE:
        return None
    return float(gamma)


def _with_gamma(image: Image.Image, gamma: float | None) -> Image.Image:
    """Return an image encoded with `gamma` as sRGB."""
    if gamma is None:
        return image
    levels = (np.arange(256) / 255) ** (SRGB_GAMMA / gamma) * 255
    return image.point(np.rint(levels).astype(int).tolist() * len(image.getbands()))


def _in_srgb(image: Image.Image, icc_profile: bytes) -> Image.Image:
    """Return an image in sRGB; as it is if the profile is sRGB, does not fit the image, or cannot be used."""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile))
        mode = PROFILE_MODES.get(profile.profile.xcolor_space)
        # Most images have an sRGB profile. Their pixels stay as they are, bit for bit.
        if mode is None or (profile.profile.profile_description or "").startswith("sRGB"):
            return image
        if mode == "RGB" and image.mode == "L":  # images made grey often keep the profile of their colours
            image = image.convert("RGB")
        if image.mode != mode:
            return image
        converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    return converted or image
