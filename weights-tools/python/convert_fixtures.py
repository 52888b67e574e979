"""Regenerates weights-tools/tests/fixtures/convert: one small model in every format.

The weights come from a seed (synth.py), so the tests make them again in Rust and compare every byte.
PyTorch and TensorFlow write the files; nothing here imitates their formats.

Example: python convert_fixtures.py torch       (in an environment with torch)
         python convert_fixtures.py tensorflow  (in one with tensorflow-cpu and safetensors)
"""

import collections
import json
import shutil
import sys
import tempfile
from pathlib import Path

from safetensors.numpy import load_file

import synth

OUT = Path(__file__).resolve().parents[1] / "tests" / "fixtures" / "convert"
LABELS = ["O", "B-PER", "I-PER"]
SIZES = {
    "attention_probs_dropout_prob": 0.1,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": 16,
    "initializer_range": 0.02,
    "intermediate_size": 24,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 20,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "pad_token_id": 0,
    "type_vocab_size": 2,
    "vocab_size": 600,
}


def weights() -> dict:
    """Canonical name (with `bert.`) to array, as `nervio-weights synth --seed 5` makes them."""
    with tempfile.TemporaryDirectory() as place:
        shape = Path(place) / "config.json"
        shape.write_text(json.dumps(SIZES))
        sys.argv = ["synth.py", "--shape", str(shape), "--seed", "5", "--labels", ",".join(LABELS), f"{place}/model"]
        synth.main()
        return load_file(f"{place}/model/model.safetensors")


def fresh(name: str) -> Path:
    """An empty folder of the fixtures."""
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def write_torch() -> None:
    import torch

    state = collections.OrderedDict((name, torch.from_numpy(array)) for name, array in weights().items())
    torch.save(state, fresh("zip") / "pytorch_model.bin")

    # Old names, a wrapper's prefix, a dictionary around, transposed views and a shared storage.
    awkward = {}
    for name, tensor in state.items():
        name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        awkward["module." + name] = tensor.t().contiguous().t() if tensor.dim() == 2 else tensor
    for kind in ("weight", "bias"):
        names = [f"module.bert.encoder.layer.0.attention.self.{part}.{kind}" for part in ("query", "key", "value")]
        joined = torch.cat([awkward[name] for name in names])
        for name, part in zip(names, joined.chunk(3)):
            awkward[name] = torch.nn.Parameter(part, requires_grad=False)
    awkward["module.bert.embeddings.position_ids"] = torch.arange(20)[None]
    awkward["module.bert.pooler.dense.bias"] = torch.zeros(16)
    checkpoint = {"epoch": 3, "loss": 0.25, "state_dict": awkward, "optimizer": {"step": torch.ones(1)}}
    torch.save(checkpoint, fresh("legacy") / "pytorch_model.bin", _use_new_zipfile_serialization=False)

    folder = fresh("sharded")
    names = sorted(state)
    places = {name: f"pytorch_model-{1 + (i % 2):05}-of-00002.bin" for i, name in enumerate(names)}
    for file in sorted(set(places.values())):
        part = {name: state[name].half() for name in names if places[name] == file}
        torch.save(part, folder / file)
    index = {"metadata": {"total_size": 0}, "weight_map": places}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=1) + "\n")


def google_name(name: str) -> str:
    """Google's name of a tensor."""
    if name.startswith("classifier."):
        return "output_weights" if name.endswith("weight") else "output_bias"
    name = name.replace("encoder.layer.", "encoder.layer_")
    if "LayerNorm" in name:
        name = name.replace("weight", "gamma").replace("bias", "beta")
    elif "_embeddings." in name:
        name = name.removesuffix(".weight")
    else:
        name = name.replace(".weight", ".kernel")
    return name.replace(".", "/")


def write_tensorflow() -> None:
    import numpy as np
    import tensorflow as tf

    v1 = tf.compat.v1
    for fixture, pretrained in (("tensorflow", False), ("tensorflow-pretrained", True)):
        with tf.Graph().as_default(), v1.Session() as session:
            variables = []
            for name, array in weights().items():
                google = google_name(name)
                if pretrained and google.startswith("output_"):
                    continue
                array = array.T if google.endswith("/kernel") else array
                variables.append(v1.get_variable(google, initializer=np.ascontiguousarray(array)))
            slot = "bert/encoder/layer_0/output/dense/bias/adam_m"
            variables.append(v1.get_variable(slot, initializer=np.zeros(16, np.float32)))
            variables.append(v1.get_variable("bert/pooler/dense/bias", initializer=np.zeros(16, np.float32)))
            variables.append(v1.get_variable("global_step", initializer=np.int64(7)))
            session.run(v1.global_variables_initializer())
            folder = fresh(fixture)
            saver = v1.train.Saver(variables, sharded=False)
            saver.save(session, str(folder / "bert_model.ckpt"), write_meta_graph=False, write_state=False)


if __name__ == "__main__":
    {"torch": write_torch, "tensorflow": write_tensorflow}[sys.argv[1]]()
    config = OUT / "bert_config.json"
    config.write_text(json.dumps(SIZES, indent=1) + "\n")
