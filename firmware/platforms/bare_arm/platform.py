from platformio.public import PlatformBase


class Inkling_bare_armPlatform(PlatformBase):  # noqa: N801 - PlatformIO derives this name from platform.json
    """Platform with the system's toolchain, which builder/main.py sets."""
