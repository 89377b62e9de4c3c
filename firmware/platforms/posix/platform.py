from platformio.public import PlatformBase


class Inkling_posixPlatform(PlatformBase):  # noqa: N801 - PlatformIO derives this name from platform.json
    """Platform with the system's toolchain, which builder/main.py sets."""
