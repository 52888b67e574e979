"""Times nervio and other engines on the same models, shapes, ids and number of threads.

All engines take turns, so that a machine whose speed drifts is unfair to none; medians and the
median of the ratios turn by turn are written as a table, as JSON and as a picture. `run.sh` calls
this with everything installed.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path

import numpy as np

from engines import Model, Nervio, makers, parse_shape
from plot import draw
from report import machine, table

TEXT = "El presidente de Telefónica viajó ayer de Madrid a São Paulo."

# Largest difference of logits from nervio's in f32 with which an engine is timed.
TOLERANCE = {"f32": 1e-3, "f16": 2e-2, "int8": None}


def passes(shape):
    """Passes in a turn: many of a short one."""
    sequences, tokens = parse_shape(shape)
    return max(2, min(15, 2000 // (sequences * tokens)))


def make_engines(model, wanted, nervio, threads):
    """The engines that can run the model, and for the others why not."""
    found, missing = {}, {}
    ids, expected = Nervio(model, threads, nervio, "f32").dump(TEXT)
    for name, make in makers(nervio, threads).items():
        if wanted and not any(part in name.lower() for part in wanted):
            continue
        try:
            engine = make(model)
            logits = engine.dump(TEXT)[1] if isinstance(engine, Nervio) else engine.logits(ids)
            difference = float(np.abs(logits - expected).max())
            limit = TOLERANCE[name.split()[1].rstrip(",")]
            if limit is not None and not difference <= limit:
                raise RuntimeError(f"its logits differ by {difference:.1e}")
            found[name] = engine
            print(f"{model.name}: {name}: logits within {difference:.1e} of nervio's f32", flush=True)
        except Exception as error:  # whatever keeps one engine from running must not stop the others
            missing[name] = f"{type(error).__name__}: {error}".splitlines()[0]
            print(f"{model.name}: {name}: left out: {missing[name]}", flush=True)
    return found, missing


def time_model(model, shapes, rounds, engines):
    """Milliseconds of every turn: shape, then engine, then turn."""
    times = {}
    for shape in shapes:
        turns = {name: [] for name in engines}
        for _ in range(rounds):
            for name, engine in engines.items():
                turns[name].append(engine.ms(shape, passes(shape)))
        times[shape] = turns
        medians = ", ".join(f"{name} {statistics.median(ms):.1f}" for name, ms in turns.items())
        print(f"{model.name} {shape}: {medians} ms", flush=True)
    return times


def main():
    """Parses the command line, runs and writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nervio", required=True, help="the nervio binary")
    parser.add_argument("--model", action="append", required=True, metavar="NAME=DIR")
    parser.add_argument("--shapes", default="1x16,1x32,1x64,1x128,1x512,8x128")
    parser.add_argument("--engines", default="", help="parts of names, such as nervio,int8; all if empty")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7, help="turns that each engine has")
    parser.add_argument("--out", default="peers-results", help="folder for the results")
    args = parser.parse_args()
    shapes = args.shapes.split(",")
    wanted = [part for part in args.engines.lower().split(",") if part]
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    results = {"machine": machine(args.threads, args.rounds), "models": {}}
    with tempfile.TemporaryDirectory() as scratch:
        for pair in args.model:
            name, _, folder = pair.partition("=")
            model = Model(name, folder, scratch)
            engines, missing = make_engines(model, wanted, args.nervio, args.threads)
            times = time_model(model, shapes, args.rounds, engines)
            results["models"][name] = {"ms": times, "left_out": missing}
            (out / "results.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
            (out / "results.md").write_text(table(results), encoding="utf-8")
            draw(results, out / "results.svg")
    print(f"\n{table(results)}\nwritten to {out}: results.md, results.json, results.svg")


if __name__ == "__main__":
    main()
