"""Times nervio and onnxruntime on one model, the same shapes and the same number of threads.

The two take turns, so that a machine whose speed drifts is unfair to neither; medians and their
ratio are printed as a Markdown table. `run.sh` calls this with everything installed.
"""

import argparse
import json
import platform
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from safetensors import safe_open

from model import onnx_model

TEXT = "El presidente de Telefónica viajó ayer de Madrid a São Paulo."


def session(folder, threads, scratch):
    """An onnxruntime session on the model of a folder."""
    file = Path(scratch) / "model.onnx"
    # Weights beside the graph: a protobuf holds at most 2 GB.
    onnx.save(onnx_model(folder), str(file), save_as_external_data=True, location="model.bin")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def check(nervio, folder, engine, scratch):
    """The largest difference between the logits of the two on one sentence."""
    file = Path(scratch) / "dump.safetensors"
    command = [nervio, "dump", "--dtype", "f32", "--model", folder, "--output", str(file), TEXT]
    subprocess.run(command, check=True)
    with safe_open(file, framework="numpy") as dump:
        ids, logits = dump.get_tensor("0.input_ids"), dump.get_tensor("0.logits")
    found = engine.run(["logits"], {"input_ids": ids[None]})[0][0]
    return float(np.abs(found - logits).max())


def time_nervio(nervio, folder, shape, threads, runs):
    """Median milliseconds of a few passes in one process."""
    command = [nervio, "bench", "--json", "--dtype", "f32", "--model", folder]
    command += ["--shapes", shape, "--runs", str(runs), "--threads", str(threads)]
    report = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return report["shapes"][0]["ms"]


def time_onnxruntime(engine, shape, rows, runs):
    """Median milliseconds of a few passes, after one that is not counted."""
    sequences, tokens = map(int, shape.split("x"))
    ids = (np.arange(sequences * tokens, dtype=np.int64) * 7919 % rows).reshape(sequences, tokens)
    times = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        engine.run(["logits"], {"input_ids": ids})
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times[1:])


def processor():
    """The name of this machine's processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def main():
    """Parses the command line, runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nervio", required=True, help="the nervio binary")
    parser.add_argument("--model", required=True, help="a model folder of f32, f16 or bf16")
    parser.add_argument("--shapes", default="1x16,1x32,1x128,1x512,8x128")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7, help="turns that each engine has")
    parser.add_argument("--runs", type=int, default=5, help="passes in a turn")
    args = parser.parse_args()
    rows = json.loads((Path(args.model) / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    with tempfile.TemporaryDirectory() as scratch:
        engine = session(args.model, args.threads, scratch)
        difference = check(args.nervio, args.model, engine, scratch)
        print(f"{processor()}, {args.threads} threads, f32, {args.rounds} turns of {args.runs} passes;")
        print(f"onnxruntime {onnxruntime.__version__}; logits differ by {difference:.1e} at most\n")
        print("| shape | nervio, ms | onnxruntime, ms | onnxruntime / nervio |")
        print("| --- | --- | --- | --- |")
        for shape in args.shapes.split(","):
            turns = []
            for _ in range(args.rounds):
                ours = time_nervio(args.nervio, args.model, shape, args.threads, args.runs)
                turns.append((ours, time_onnxruntime(engine, shape, rows, args.runs)))
            ours, theirs = (statistics.median(side) for side in zip(*turns))
            ratio = statistics.median(b / a for a, b in turns)
            print(f"| {shape} | {ours:.1f} | {theirs:.1f} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
