"""Contents of a .tflite file: operators, activation scales, and the arena that TFLM needs for it."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import tflite

from export.errors import ExportError

# In its own process: print_allocations() writes to stderr at the C level, which Python cannot redirect.
_ARENA_SCRIPT = (
    "import sys; from tflite_micro.python.tflite_micro import runtime; "
    "i = runtime.Interpreter.from_file(sys.argv[1]); i.print_allocations()"
)


@dataclass(frozen=True)
class Op:
    """One operator and the quantization of its output."""

    name: str
    scale: float
    zero_point: int
    is_output: bool  # its output leaves the model


def operators(file: Path) -> list[Op]:
    """Return the operators in the order of execution."""
    model = tflite.Model.GetRootAs(file.read_bytes(), 0)
    graph = model.Subgraphs(0)
    names = {v: k for k, v in vars(tflite.BuiltinOperator).items() if isinstance(v, int)}
    outputs, ops = set(graph.OutputsAsNumpy()), []
    for i in range(graph.OperatorsLength()):
        op = graph.Operators(i)
        code = model.OperatorCodes(op.OpcodeIndex())
        # Codes below 127 may be only in the older field.
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        q = graph.Tensors(op.Outputs(0)).Quantization()
        scale, zero_point = (q.Scale(0), q.ZeroPoint(0)) if q is not None and q.ScaleLength() > 0 else (0.0, 0)
        ops.append(Op(names[number], scale, zero_point, op.Outputs(0) in outputs))
    return ops


def arena_bytes(file: Path) -> int:
    """Return the bytes of arena that TFLM's interpreter uses for the model, as it reports them on a 64-bit host.

    Raises ExportError if it cannot load the model.
    """
    done = subprocess.run([sys.executable, "-c", _ARENA_SCRIPT, str(file)], capture_output=True, text=True, check=False)
    match = re.search(r"Arena allocation total (\d+) bytes", done.stderr)
    if done.returncode or match is None:
        raise ExportError(f"TFLM's interpreter cannot load {file.name}: {done.stderr.strip().splitlines()[-1:]}")
    return int(match[1])
