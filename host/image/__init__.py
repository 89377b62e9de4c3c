"""Images for an encoder: files of any format that Pillow reads, and folders of such files."""

from host.image.load import load_image

__all__ = ["load_image"]
