"""The engines that are timed, each behind the same two methods.

`logits(ids)` answers one sequence, so that no engine is timed that computes something else;
`ms(shape, runs)` is the median of a few passes over `sequences x tokens` ids, after one that is not
counted. An engine that is not installed or cannot run the model raises when it is made.
"""

import json
import os
import statistics
import subprocess
import time
import weakref
from pathlib import Path

import numpy as np
import onnx
from safetensors import safe_open

from model import onnx_model

# Where run.sh builds the engines of `rust/`.
RUST_PEERS = Path(__file__).parent / "rust" / "target" / "release" / "nervio-peers"


def parse_shape(shape):
    """`8x128` as two numbers: sequences and tokens."""
    sequences, tokens = map(int, shape.split("x"))
    return sequences, tokens


class InProcess:
    """An engine that runs in this process."""

    def __init__(self, model):
        self.rows = model.rows

    def run(self, ids):
        """Logits `[sequences, tokens, labels]` of ids of the same two dimensions."""
        raise NotImplementedError

    def logits(self, ids):
        """Logits `[tokens, labels]` of one sequence."""
        return self.run(ids[None])[0]

    def ms(self, shape, runs):
        """Median milliseconds of a pass."""
        sequences, tokens = parse_shape(shape)
        ids = np.arange(sequences * tokens, dtype=np.int64) * 7919 % self.rows
        ids = ids.reshape(sequences, tokens)
        times = []
        for _ in range(runs + 1):
            start = time.perf_counter()
            self.run(ids)
            times.append((time.perf_counter() - start) * 1000)
        return statistics.median(times[1:])


class Model:
    """A model folder and the files that engines want it in, made once in a scratch folder."""

    def __init__(self, name, folder, scratch):
        self.name, self.folder, self.scratch = name, Path(folder), Path(scratch) / name
        self.scratch.mkdir()
        self.config = json.loads((self.folder / "config.json").read_text(encoding="utf-8"))
        self.rows = self.config["vocab_size"]

    def onnx(self):
        """The plain graph."""
        file = self.scratch / "model.onnx"
        if not file.exists():
            # Weights beside the graph: a protobuf holds at most 2 GB. rten insists on the ending.
            beside = {"save_as_external_data": True, "location": "model.onnx_data"}
            onnx.save(onnx_model(self.folder), str(file), **beside)
        return file

    def optimised(self):
        """The graph with the fused operators of onnxruntime's transformer optimiser."""
        from onnxruntime.transformers.optimizer import optimize_model

        file = self.scratch / "optimised.onnx"
        if not file.exists():
            heads, hidden = self.config["num_attention_heads"], self.config["hidden_size"]
            fused = optimize_model(str(self.onnx()), "bert", num_heads=heads, hidden_size=hidden)
            if fused.get_fused_operator_statistics()["Attention"] != self.config["num_hidden_layers"]:
                raise RuntimeError("the attention of some layers was not fused")
            fused.save_model_to_file(str(file), use_external_data_format=True)
        return file

    def int8(self):
        """The graph with dynamic 8-bit products: per channel, of reduced range (no saturation on AVX2)."""
        from onnxruntime.quantization import QuantType, quantize_dynamic

        file = self.scratch / "int8.onnx"
        if not file.exists():
            options = {"per_channel": True, "reduce_range": True, "weight_type": QuantType.QInt8}
            quantize_dynamic(str(self.onnx()), str(file), use_external_data_format=True, **options)
        return file


class Nervio:
    """nervio in a process of its own for every turn."""

    def __init__(self, model, threads, binary, dtype):
        self.model, self.threads, self.binary, self.dtype = model, threads, binary, dtype

    def command(self, name, *arguments):
        """A command line on this model."""
        return [self.binary, name, "--model", str(self.model.folder), "--dtype", self.dtype, *arguments]

    def dump(self, text):
        """The ids of a text and their logits."""
        file = self.model.scratch / "dump.safetensors"
        subprocess.run(self.command("dump", "--output", str(file), text), check=True)
        with safe_open(file, framework="numpy") as dump:
            return dump.get_tensor("0.input_ids").astype(np.int64), dump.get_tensor("0.logits")

    def ms(self, shape, runs):
        """Median milliseconds of a pass, as `nervio bench` measures it."""
        options = ["--json", "--shapes", shape, "--runs", str(runs), "--threads", str(self.threads)]
        report = subprocess.run(self.command("bench", *options), check=True, capture_output=True)
        return json.loads(report.stdout)["shapes"][0]["ms"]


class OnnxRuntime(InProcess):
    """onnxruntime on one of the graphs."""

    def __init__(self, model, threads, file):
        import onnxruntime

        super().__init__(model)
        onnxruntime.set_default_logger_severity(3)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        providers = ["CPUExecutionProvider"]
        self.session = onnxruntime.InferenceSession(str(file), options, providers=providers)

    def run(self, ids):
        return self.session.run(["logits"], {"input_ids": ids})[0]


class OpenVino(InProcess):
    """OpenVINO on the plain graph, all in f32."""

    def __init__(self, model, threads):
        import openvino

        super().__init__(model)
        hints = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
        }
        self.compiled = openvino.Core().compile_model(str(model.onnx()), "CPU", hints)

    def run(self, ids):
        return self.compiled([ids])[0]


class PyTorch(InProcess):
    """PyTorch with the model class of transformers."""

    def __init__(self, model, threads):
        import torch
        from transformers import BertForTokenClassification

        super().__init__(model)
        self.torch = torch
        torch.set_num_threads(threads)
        self.module = BertForTokenClassification.from_pretrained(model.folder, dtype=torch.float32)
        self.module.eval()

    def run(self, ids):
        with self.torch.inference_mode():
            return self.module(self.torch.from_numpy(ids)).logits.numpy()


class RustPeer:
    """candle, tract or rten: a process of `rust/` that stays and answers lines of JSON."""

    def __init__(self, model, threads, engine, file):
        if not RUST_PEERS.exists():
            raise RuntimeError("the engines in rust/ are not built")
        self.rows = model.rows
        environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
        command = [str(RUST_PEERS), engine, str(file), str(threads)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, env=environment, **pipes)
        # Ends the input, and with it the process.
        weakref.finalize(self, self.process.communicate)
        self.answer()

    def answer(self):
        """The next line of the process."""
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"its process ended with status {self.process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def ask(self, request):
        """The answer to a request."""
        print(json.dumps(request), file=self.process.stdin, flush=True)
        return self.answer()

    def logits(self, ids):
        """Logits `[tokens, labels]` of one sequence."""
        return np.array(self.ask({"logits": ids.tolist()})["logits"], dtype=np.float32)

    def ms(self, shape, runs):
        """Median milliseconds of a pass, of the ids that `InProcess` takes."""
        return self.ask({"ms": parse_shape(shape), "runs": runs, "rows": self.rows})["ms"]


def makers(nervio, threads):
    """What makes each engine of a model, by name, in the order of the tables."""
    return {
        "nervio f32": lambda model: Nervio(model, threads, nervio, "f32"),
        "nervio f16": lambda model: Nervio(model, threads, nervio, "f16"),
        "nervio int8": lambda model: Nervio(model, threads, nervio, "int8"),
        "onnxruntime f32": lambda model: OnnxRuntime(model, threads, model.onnx()),
        "onnxruntime f32, fused": lambda model: OnnxRuntime(model, threads, model.optimised()),
        "onnxruntime int8": lambda model: OnnxRuntime(model, threads, model.int8()),
        "OpenVINO f32": lambda model: OpenVino(model, threads),
        "PyTorch f32": lambda model: PyTorch(model, threads),
        "candle f32": lambda model: RustPeer(model, threads, "candle", model.folder),
        "tract f32": lambda model: RustPeer(model, threads, "tract", model.onnx()),
        "rten f32": lambda model: RustPeer(model, threads, "rten", model.onnx()),
    }
