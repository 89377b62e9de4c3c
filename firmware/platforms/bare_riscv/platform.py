from platformio.public import PlatformBase


class Inkling_bare_riscvPlatform(PlatformBase):  # noqa: N801 - PlatformIO derives this name from platform.json
    """Toolchain comes from the system; builder/main.py names it."""
