"""The results as Markdown, with the machine and the versions that they are of."""

import datetime
import importlib.metadata
import platform
import statistics
import tomllib
from pathlib import Path

PACKAGES = ["onnxruntime", "openvino", "torch", "transformers"]
CRATES = {"candle": "candle-core", "tract": "tract-onnx", "rten": "rten"}


def crates():
    """The versions of the engines in `rust/`, as its lock file has them."""
    lock = Path(__file__).parent / "rust" / "Cargo.lock"
    packages = tomllib.loads(lock.read_text(encoding="utf-8"))["package"]
    versions = {package["name"]: package["version"] for package in packages}
    return {engine: versions[crate] for engine, crate in CRATES.items()}


def machine(threads, rounds):
    """What the figures depend on."""
    lines = []
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        pass
    values = {line.split(":")[0].strip(): line.split(":")[1].strip() for line in lines if ":" in line}
    flags = values.get("flags", "").split()
    telling = ("avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "amx_bf16")
    known = [name for name in telling if name in flags]
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            pass
    return {
        "processor": values.get("model name", platform.processor()),
        "cores": sum(line.startswith("processor") for line in lines),
        "features": known,
        "threads": threads,
        "rounds": rounds,
        "versions": versions | crates(),
        "date": datetime.date.today().isoformat(),
    }


def rival(engine):
    """The engine of nervio that another one is compared with."""
    return "nervio int8" if "int8" in engine else "nervio f32"


def ratio(turns, engine):
    """The median over the turns of an engine's time over nervio's; None without nervio."""
    ours = turns.get(rival(engine))
    return ours and statistics.median(b / a for a, b in zip(ours, turns[engine]))


def table(results):
    """All models as Markdown."""
    about = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    text = (
        f"{about['processor']}, {about['cores']} cores ({', '.join(about['features'])}), "
        f"{about['threads']} threads, {about['rounds']} turns, {about['date']}; {versions}.\n"
        "Median milliseconds of a forward pass; in brackets the engine's time over nervio's in the "
        "same turn (f32 against f32, int8 against int8; above 1 nervio is faster).\n"
    )
    for model, found in results["models"].items():
        shapes = list(found["ms"])
        text += f"\n| {model} | {' | '.join(shapes)} |\n| --- |{' --- |' * len(shapes)}\n"
        for engine in next(iter(found["ms"].values()), {}):
            cells = []
            for shape in shapes:
                turns = found["ms"][shape]
                cell = f"{statistics.median(turns[engine]):.1f}"
                value = ratio(turns, engine)
                if value and engine != rival(engine):
                    cell += f" ({value:.2f})"
                cells.append(cell)
            text += f"| {engine} | {' | '.join(cells)} |\n"
        for engine, reason in found["left_out"].items():
            text += f"\n{engine} was left out: {reason}\n"
    return text
