"""Scratch memory of the kernels in the free part of the arena.

BakeNN reserves scratch memory behind all activations. But the step with the most activations often needs none: then
the scratch of each step fits into the part of the arena that is free during that step, and the arena becomes smaller.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bakenn import CompiledModel

ALIGNMENT = 16
_SCRATCH = re.compile(r"^( +\(void \*\)\(arena \+ )(\d+)(u\), )(\d+)(,)$", re.MULTILINE)  # address, size
_ARENA_SIZE = re.compile(r"(_ARENA_SIZE )\d+u")

Range = tuple[int, int]  # first byte, and the byte after the last


def pack(compiled: "CompiledModel") -> int:
    """Move the scratch memory in the generated sources, and return the new size of the arena in bytes.

    Raises ValueError if the sources are not written as BakeNN 1.0.0 writes them.
    """
    plan, backend = compiled.plan, compiled.artifacts.backend_plan
    sizes = {step: choice.scratch_size for step, choice in enumerate(backend.selections) if choice.scratch_size}
    offsets = {step: _first_gap(_live(compiled, step), size) for step, size in sizes.items()}
    ends = [plan.activation_arena_size, *(offsets[step] + size for step, size in sizes.items())]
    arena_bytes = -(-max(ends) // ALIGNMENT) * ALIGNMENT
    if arena_bytes >= backend.arena_size:
        return backend.arena_size
    source, header = compiled.artifacts.model_source, compiled.artifacts.header
    text = source.read_text(encoding="utf-8")
    if [int(match[4]) for match in _SCRATCH.finditer(text)] != list(sizes.values()):
        raise ValueError("this version of BakeNN passes scratch memory to its kernels in an unknown way")
    moved = iter(offsets.values())
    text = _SCRATCH.sub(lambda match: f"{match[1]}{next(moved)}{match[3]}{match[4]}{match[5]}", text)
    source.write_text(text, encoding="utf-8")
    _replace_size(header, arena_bytes)
    return arena_bytes


def _live(compiled: "CompiledModel", step: int) -> list[Range]:
    """Return the parts of the arena that hold activations during a step, sorted."""
    plan = compiled.plan
    ranges: list[Range] = []
    for name, lifetime in plan.lifetimes.items():
        if lifetime.birth <= step < lifetime.death:
            start = plan.tensors[name].offset or 0  # None only outside the arena, where nothing has a lifetime
            size = max(plan.tensors[member].tensor_type.nbytes for member in plan.alias_groups[name])
            ranges.append((start, start + size))
    return sorted(ranges)


def _first_gap(used: list[Range], size: int) -> int:
    """Return the lowest aligned offset with `size` free bytes."""
    offset = 0
    for start, end in used:
        if offset + size <= start:
            break
        offset = max(offset, -(-end // ALIGNMENT) * ALIGNMENT)
    return offset


def _replace_size(header: Path, arena_bytes: int) -> None:
    text, count = _ARENA_SIZE.subn(rf"\g<1>{arena_bytes}u", header.read_text(encoding="utf-8"))
    if count != 1:
        raise ValueError("this version of BakeNN states the arena's size in an unknown way")
    header.write_text(text, encoding="utf-8")
