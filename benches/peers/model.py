"""A model folder as an ONNX graph: `BertForTokenClassification` out of plain operators.

Built straight from `config.json` and the safetensors, without PyTorch. What exporters would write:
Gather, LayerNormalization, MatMul, Softmax and the erf form of GELU; onnxruntime fuses it itself.
"""

import json
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from safetensors import safe_open


def read_folder(folder):
    """The config and the tensors of a folder, as f32, without the `bert.` prefix."""
    folder = Path(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    index = folder / "model.safetensors.index.json"
    files = {"model.safetensors"}
    if index.exists():
        files = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    tensors = {}
    for name in sorted(files):
        with safe_open(folder / name, framework="numpy") as file:
            for key in file.keys():
                tensors[canonical(key)] = file.get_tensor(key).astype(np.float32)
    return config, tensors


def canonical(key):
    """The name that today's transformers gives a tensor."""
    key = key.removeprefix("bert.")
    return key.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


class Graph:
    """Collects nodes and weights; every method returns the name of what it computes."""

    def __init__(self, tensors, eps):
        self.tensors, self.eps = tensors, eps
        self.nodes, self.initialisers, self.count = [], {}, 0

    def node(self, operator, *inputs, **attributes):
        """One operator with one output."""
        self.count += 1
        output = f"x{self.count}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def constant(self, name, array):
        """A weight or a constant, stored once."""
        if name not in self.initialisers:
            self.initialisers[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name

    def weight(self, name, transpose=False):
        """A tensor of the checkpoint."""
        array = self.tensors[name]
        return self.constant(name, array.T if transpose else array)

    def linear(self, name, x):
        """`x W^T + b`."""
        product = self.node("MatMul", x, self.weight(f"{name}.weight", transpose=True))
        return self.node("Add", product, self.weight(f"{name}.bias"))

    def norm(self, name, x):
        """Layer norm over the last axis."""
        scale, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.node("LayerNormalization", x, scale, bias, axis=-1, epsilon=self.eps)

    def gelu(self, x):
        """The erf form, `x (1 + erf(x / sqrt 2)) / 2`."""
        scalar = lambda value: self.constant(f"c{value}", np.array(value, dtype=np.float32))
        erf = self.node("Erf", self.node("Div", x, scalar(2**0.5)))
        return self.node("Mul", self.node("Mul", x, self.node("Add", erf, scalar(1.0))), scalar(0.5))


def attention(graph, config, layer, x):
    """`BertSelfAttention` without mask: all sequences of a batch are equally long."""
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    shape = graph.constant("split", np.array([0, 0, heads, hidden // heads], dtype=np.int64))
    merged = graph.constant("merge", np.array([0, 0, hidden], dtype=np.int64))
    name = f"encoder.layer.{layer}.attention.self."
    split = lambda part: graph.node("Reshape", graph.linear(name + part, x), shape)
    query = graph.node("Transpose", split("query"), perm=[0, 2, 1, 3])
    key = graph.node("Transpose", split("key"), perm=[0, 2, 3, 1])
    value = graph.node("Transpose", split("value"), perm=[0, 2, 1, 3])
    scale = graph.constant("scale", np.array((hidden // heads) ** 0.5, dtype=np.float32))
    scores = graph.node("Div", graph.node("MatMul", query, key), scale)
    context = graph.node("MatMul", graph.node("Softmax", scores, axis=-1), value)
    return graph.node("Reshape", graph.node("Transpose", context, perm=[0, 2, 1, 3]), merged)


def onnx_model(folder):
    """The ONNX model of a folder: `input_ids` i64 [batch, tokens] to `logits` f32."""
    config, tensors = read_folder(folder)
    if config.get("hidden_act", "gelu") != "gelu":
        raise SystemExit(f"{folder}: hidden_act: expected gelu, found {config['hidden_act']}")
    graph = Graph(tensors, config.get("layer_norm_eps", 1e-12))
    tables = "embeddings.{}_embeddings.weight".format
    words = graph.node("Gather", graph.weight(tables("word")), "input_ids")
    length = graph.node("Shape", "input_ids", start=1, end=2)
    zero = graph.constant("zero", np.array([0], dtype=np.int64))
    positions = graph.node("Slice", graph.weight(tables("position")), zero, length, zero)
    kind = graph.constant("kind", tensors[tables("token_type")][0])
    x = graph.node("Add", graph.node("Add", words, kind), positions)
    x = graph.norm("embeddings.LayerNorm", x)
    for layer in range(config["num_hidden_layers"]):
        name = f"encoder.layer.{layer}."
        dense = graph.linear(name + "attention.output.dense", attention(graph, config, layer, x))
        x = graph.norm(name + "attention.output.LayerNorm", graph.node("Add", dense, x))
        inner = graph.gelu(graph.linear(name + "intermediate.dense", x))
        dense = graph.linear(name + "output.dense", inner)
        x = graph.norm(name + "output.LayerNorm", graph.node("Add", dense, x))
    logits = graph.linear("classifier", x)
    graph.nodes.append(helper.make_node("Identity", [logits], ["logits"]))
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "tokens"])
    out = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "tokens", "labels"])
    weights = list(graph.initialisers.values())
    body = helper.make_graph(graph.nodes, "bert", [ids], [out], weights)
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
