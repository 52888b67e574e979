"""Times whole corpora: sentences a second from text to entities.

`nervio ner` runs end to end as a process: reading, tokenising, the model, decoding, writing. Against
it stand onnxruntime fed with batches of 16 sorted by length (tokenising included, decoding and
output not), and the pipeline of transformers at three batch sizes, on a sample. Sentences that come
again are computed once by nervio: `--distinct` leaves them out for everybody.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from engines import Model, OnnxRuntime
from report import machine


def sentences(file):
    """The sentences of a CoNLL file as plain lines."""
    lines, words = [], []
    for line in Path(file).read_text(encoding="utf-8").splitlines() + [""]:
        if line.strip():
            words.append(line.split()[0])
        elif words:
            lines.append(" ".join(words))
            words = []
    return lines


def run_nervio(nervio, model, dtype, threads, lines, scratch):
    """Seconds of `nervio ner` on a file of lines."""
    text, out = Path(scratch) / "corpus.txt", Path(scratch) / "entities.jsonl"
    text.write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = [nervio, "ner", "--model", str(model.folder), "--dtype", dtype, "--threads", str(threads)]
    command += ["--input", str(text), "--input-format", "lines", "--format", "jsonl", "--output", str(out)]
    out.unlink(missing_ok=True)
    start = time.perf_counter()
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    found = len(out.read_text(encoding="utf-8").splitlines())
    if found != len(lines):
        raise SystemExit(f"nervio answered {found} of {len(lines)} sentences")
    return seconds


def tokenizer_of(model):
    """The tokenizer of transformers for the folder."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(model.folder)


def run_onnxruntime(engine, tokenizer, lines, size):
    """Seconds of tokenising, and of passes over batches of `size` sorted by length and padded.

    The graph takes no mask, which spares onnxruntime the little that masking costs.
    """
    start = time.perf_counter()
    ids = sorted(tokenizer(lines, truncation=True, max_length=512)["input_ids"], key=len)
    for first in range(0, len(ids), size):
        batch = ids[first : first + size]
        longest = max(map(len, batch))
        padded = np.zeros((len(batch), longest), dtype=np.int64)
        for row, sequence in zip(padded, batch):
            row[: len(sequence)] = sequence
        engine.run(padded).argmax(-1)
    return time.perf_counter() - start


def run_pipeline(model, threads, lines, size):
    """Seconds of the pipeline of transformers, its making not counted."""
    import torch
    from transformers import AutoModelForTokenClassification, pipeline

    torch.set_num_threads(threads)
    module = AutoModelForTokenClassification.from_pretrained(model.folder, dtype=torch.float32)
    ner = pipeline("ner", model=module, tokenizer=tokenizer_of(model), aggregation_strategy="simple")
    start = time.perf_counter()
    ner(lines, batch_size=size)
    return time.perf_counter() - start


def run_tokenizer(model, lines):
    """Megabytes a second of the fast tokenizer of transformers on one thread, text by text."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    backend = tokenizer_of(model).backend_tokenizer
    size = sum(len(line.encode()) for line in lines) / 1e6
    times = []
    for _ in range(5):
        start = time.perf_counter()
        for line in lines:
            backend.encode(line)
        times.append(time.perf_counter() - start)
    return size / statistics.median(times)


def main():
    """Parses the command line, runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nervio", required=True, help="the nervio binary")
    parser.add_argument("--model", required=True, metavar="NAME=DIR")
    parser.add_argument("--data", required=True, help="a CoNLL file")
    parser.add_argument("--distinct", action="store_true", help="each sentence once")
    parser.add_argument("--limit", type=int, default=None, help="only so many sentences")
    parser.add_argument("--sample", type=int, default=200, help="sentences for the pipeline")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3, help="turns that each engine has")
    parser.add_argument("--out", default=None, help="a file for the results as JSON")
    args = parser.parse_args()
    lines = sentences(args.data)
    if args.distinct:
        lines = list(dict.fromkeys(lines))
    lines = lines[: args.limit]
    # Every so many, so that the sample is as long as the rest.
    sample = lines[:: max(1, len(lines) // args.sample)]
    name, _, folder = args.model.partition("=")
    rates = {}
    with tempfile.TemporaryDirectory() as scratch:
        model = Model(name, folder, scratch)
        tokenizer = tokenizer_of(model)
        plain = OnnxRuntime(model, args.threads, model.onnx())
        int8 = OnnxRuntime(model, args.threads, model.int8())
        nervio = lambda dtype: run_nervio(args.nervio, model, dtype, args.threads, lines, scratch)
        turns = {
            "nervio f32": lambda: nervio("f32"),
            "onnxruntime f32, sorted batches of 16": lambda: run_onnxruntime(plain, tokenizer, lines, 16),
            "nervio int8": lambda: nervio("int8"),
            "onnxruntime int8, sorted batches of 16": lambda: run_onnxruntime(int8, tokenizer, lines, 16),
            "onnxruntime f32, one by one": lambda: run_onnxruntime(plain, tokenizer, lines, 1),
        }
        seconds = {engine: [] for engine in turns}
        for _ in range(args.rounds):
            for engine, run in turns.items():
                seconds[engine].append(run())
        rates = {engine: len(lines) / statistics.median(found) for engine, found in seconds.items()}
        for size in (1, 8, 16):
            found = run_pipeline(model, args.threads, sample, size)
            rates[f"pipeline of transformers, batches of {size} (sample)"] = len(sample) / found
        rates["nervio f32, 1 thread"] = len(lines) / run_nervio(
            args.nervio, model, "f32", 1, lines, scratch
        )
        tokenizers = run_tokenizer(model, lines)
    about = machine(args.threads, args.rounds)
    print(f"{about['processor']}, {args.threads} threads, {len(lines)} sentences, {about['date']}\n")
    print(f"| {name} | sentences a second | nervio f32 over it |\n| --- | --- | --- |")
    for engine, rate in rates.items():
        print(f"| {engine} | {rate:.1f} | {rates['nervio f32'] / rate:.2f} |")
    print(f"\nthe tokenizers package alone, one thread: {tokenizers:.2f} MB/s")
    if args.out:
        Path(args.out).write_text(json.dumps({"machine": about, "rates": rates}, indent=1))


if __name__ == "__main__":
    main()
