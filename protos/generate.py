"""Generate the Python code of the contracts, and the descriptor set that buf and gateways read.

The .proto files import each other as every other language expects (`tenancy/v1/roles.proto`, root
`protos/`), while Python needs the modules below `protos.`. protoc names Python modules after the file
names in the descriptors, so those are renamed in a descriptor set first; nothing is rewritten afterwards.
"""

import os
import subprocess
import sys
from pathlib import Path

import google.rpc
from google.protobuf.descriptor_pb2 import FileDescriptorSet

ROOT = Path(__file__).resolve().parent.parent
GOOGLEAPIS = Path(next(iter(google.rpc.__path__))).parents[1]
PROTOS = sorted(path.relative_to(ROOT / "protos").as_posix() for path in (ROOT / "protos").glob("*/v1/*.proto"))


def protoc(*arguments: str) -> None:
    """Run protoc with the plugins that stand beside this Python."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = [sys.executable, "-m", "grpc_tools.protoc", *arguments]
    subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "PATH": path})


def describe(build: Path) -> FileDescriptorSet:
    """Write the descriptor set `api.binpb` (with sources and imports) into `build`."""
    build.mkdir(exist_ok=True)
    api = build / "api.binpb"
    protoc(
        "-Iprotos", f"-I{GOOGLEAPIS}", "--include_imports", "--include_source_info",
        f"--descriptor_set_out={api}", *PROTOS,
    )  # fmt: skip
    return FileDescriptorSet.FromString(api.read_bytes())


def generate(out: Path, build: Path) -> None:
    """Write `*_pb2*` below `out`/protos, and `api.binpb` into `build`."""
    files = describe(build)
    renamed = build / "api_for_python.binpb"
    for file in files.file:
        file.name = below_protos(file.name)
        file.dependency[:] = [below_protos(name) for name in file.dependency]
    renamed.write_bytes(files.SerializeToString(deterministic=True))
    protoc(
        f"--descriptor_set_in={renamed}", f"--python_out={out}", f"--grpc_python_out={out}",
        f"--mypy_out=quiet:{out}", f"--mypy_grpc_out=quiet,only_async:{out}",
        *map(below_protos, PROTOS),
    )  # fmt: skip


def below_protos(name: str) -> str:
    return f"protos/{name}" if name in PROTOS else name


if __name__ == "__main__":
    generate(out=Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT, build=ROOT / "build")
