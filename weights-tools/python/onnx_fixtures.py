"""Regenerates weights-tools/tests/fixtures/onnx: one small model as exporters and quantisers write it.

The weights come from a seed (synth.py), so the tests make them again in Rust and compare every byte of
the plain exports. Beside each quantised graph lies what numpy makes of its weights.

Example: python onnx_fixtures.py       (onnx-requirements.txt)
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from onnxruntime.transformers import optimizer
from safetensors.numpy import load_file, save_file
from transformers import AutoModelForTokenClassification

import synth

OUT = Path(__file__).resolve().parents[1] / "tests" / "fixtures" / "onnx"
LABELS = "O,B-PER,I-PER"
SEED = "6"
SIZES = {
    "hidden_act": "gelu",
    "hidden_size": 16,
    "intermediate_size": 24,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 20,
    "model_type": "bert",
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "pad_token_id": 0,
    "type_vocab_size": 2,
    "vocab_size": 80,
}
INPUTS = ["input_ids", "attention_mask", "token_type_ids"]


def export(model: torch.nn.Module, file: Path, dynamo: bool) -> None:
    """Writes the graph by one of PyTorch's two exporters."""
    ids = torch.randint(5, 60, (2, 7))
    example = (ids, torch.ones_like(ids), torch.zeros_like(ids))
    # With fixed lengths the exporter folds the positions into the graph, and the table is lost.
    axes = {name: {0: "batch", 1: "tokens"} for name in INPUTS}
    axes = {"dynamic_shapes": axes} if dynamo else {"dynamic_axes": axes}
    torch.onnx.export(model, example, file, input_names=INPUTS, output_names=["logits"], dynamo=dynamo, **axes)
    # Where each node came from: long, and of one machine.
    written = onnx.load(file, load_external_data=False)
    for part in [written.graph, *written.graph.node, *written.graph.value_info, *written.graph.initializer]:
        del part.metadata_props[:]
        part.doc_string = ""
    file.write_bytes(written.SerializeToString())


def fresh(name: str) -> Path:
    """The file `onnx/model.onnx` in an empty folder of the fixtures."""
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "onnx").mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(SIZES, indent=1) + "\n")
    return folder / "onnx" / "model.onnx"


def per_channel(tensors: dict, base: str) -> np.ndarray:
    """The floats behind `base_quantized`, whose scales are one or one for each of the last axis."""
    zero, scale = tensors[f"{base}_zero_point"].astype(np.int32), tensors[f"{base}_scale"]
    return (tensors[f"{base}_quantized"].astype(np.int32) - zero).astype(np.float32) * scale


def from_blocks(node: onnx.NodeProto, tensors: dict) -> np.ndarray:
    """The weight `[out, in]` of a MatMulNBits node of 4 bits with zero points."""
    sizes = {attribute.name: attribute.i for attribute in node.attribute}
    outputs, inputs, block = sizes["N"], sizes["K"], sizes["block_size"]
    packed, scales, zeros = (tensors[name] for name in node.input[1:4])
    halves = lambda bytes: np.stack([bytes & 15, bytes >> 4], axis=-1)  # noqa: E731
    values = halves(packed).reshape(outputs, -1, block).astype(np.int32)
    count = values.shape[1]
    zeros = halves(zeros.reshape(outputs, -1)).reshape(outputs, -1)[:, :count].astype(np.int32)
    weight = (values - zeros[..., None]).astype(np.float32) * scales.reshape(outputs, count, 1)
    return weight.reshape(outputs, -1)[:, :inputs]


def expected(file: Path) -> dict:
    """The weights of a quantised graph under their names, by the names of its nodes."""
    graph = onnx.load(file).graph
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    found = {name: x for name, x in tensors.items() if name.endswith((".weight", ".bias"))}
    for node in graph.node:
        layer = node.name.strip("/").split("/MatMul")[0].replace("/", ".") + ".weight"
        if node.op_type == "MatMulNBits":
            found[layer] = from_blocks(node, tensors)
        elif node.op_type == "MatMulInteger" and node.input[1] in tensors:
            found[layer] = per_channel(tensors, node.input[1].removesuffix("_quantized")).T
        elif node.op_type == "DequantizeLinear" and "_quantized" in node.input[0]:
            base = next(name for name in tensors if name.endswith("_scale") and name == node.input[1])
            base = base.removesuffix("_scale")
            found.setdefault(base, per_channel(tensors, base))
    return {name: np.ascontiguousarray(x, dtype=np.float32) for name, x in found.items()}


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        shape = Path(place) / "config.json"
        shape.write_text(json.dumps(SIZES))
        sys.argv = ["synth.py", "--shape", str(shape), "--seed", SEED, "--labels", LABELS, f"{place}/model"]
        synth.main()
        model = AutoModelForTokenClassification.from_pretrained(
            f"{place}/model", attn_implementation="eager", return_dict=False
        ).eval()
        export(model, fresh("torchscript"), dynamo=False)
        export(model, fresh("dynamo"), dynamo=True)
    plain = OUT / "torchscript" / "onnx" / "model.onnx"
    quantize_dynamic(plain, fresh("int8"), per_channel=True, reduce_range=True, weight_type=QuantType.QInt8)
    quantize_dynamic(plain, fresh("uint8"), weight_type=QuantType.QUInt8)
    blocks = MatMulNBitsQuantizer(onnx.load(plain), block_size=16, is_symmetric=False)
    blocks.process()
    blocks.model.save_model_to_file(str(fresh("blocks4")))
    optimizer.optimize_model(str(plain), model_type="bert", num_heads=2, hidden_size=16).save_model_to_file(
        str(fresh("fused"))
    )
    for name in ("int8", "uint8", "blocks4"):
        save_file(expected(OUT / name / "onnx" / "model.onnx"), OUT / name / "expected.safetensors")


if __name__ == "__main__":
    main()
