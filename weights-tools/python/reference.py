"""Reference outputs of a Hugging Face folder: what PyTorch in f32 answers.

Runs transformers in eval mode with eager attention, whatever the weights are stored as, and writes
nervio's reference format: a safetensors file with, for document i, `i.input_ids` I64 [tokens],
`i.logits` F32 [tokens, labels] and, where asked, `i.hidden_states.L` F32 [tokens, hidden] (L = 0 is
the embedding output) and `i.attentions.L` F32 [heads, tokens, tokens]; string metadata `texts` holds
the documents as a JSON array. An encoder without a classifier gives no logits.

Example: python reference.py MODEL out.safetensors --text "Me llamo Ana" --hidden-states
"""

import argparse
import json
from collections.abc import Collection
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModel, AutoModelForTokenClassification, AutoTokenizer
from transformers.utils import logging


def load(folder: Path, dtype: torch.dtype = torch.float32):
    """Tokenizer and model of a folder. Refuses one whose tensors do not all come from the file."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    architectures = AutoConfig.from_pretrained(folder).architectures or []
    tagger = any(name.endswith("ForTokenClassification") for name in architectures)
    auto = AutoModelForTokenClassification if tagger else AutoModel
    model, report = auto.from_pretrained(
        folder, dtype=dtype, attn_implementation="eager", output_loading_info=True
    )
    missing = [key for key in report["missing_keys"] if not key.startswith("pooler.")]
    if missing or report["mismatched_keys"]:
        raise ValueError(f"{folder}: missing {missing}, mismatched {report['mismatched_keys']}")
    return tokenizer, model.eval()


def tensors_of(model, ids: list[int], hidden_states: bool, attentions: bool) -> dict[str, torch.Tensor]:
    """The tensors of one document, by their names without its number."""
    inputs = torch.tensor([ids])
    with torch.inference_mode():
        answer = model(input_ids=inputs, output_hidden_states=hidden_states, output_attentions=attentions)
    tensors = {"input_ids": inputs[0]}
    if "logits" in answer:
        tensors["logits"] = answer.logits[0]
    for name in ["hidden_states"] * hidden_states + ["attentions"] * attentions:
        tensors |= {f"{name}.{layer}": value[0] for layer, value in enumerate(answer[name])}
    return {name: value.contiguous().clone() for name, value in tensors.items()}


def write_reference(
    folder: Path,
    out: Path,
    texts: list[str],
    hidden_states: Collection[int] = (),
    attentions: Collection[int] = (),
) -> None:
    """Writes the outputs for `texts`; the two collections name the documents that get more than logits."""
    tokenizer, model = load(folder)
    tensors = {}
    for number, text in enumerate(texts):
        ids = tokenizer(text)["input_ids"]
        if len(ids) > model.config.max_position_embeddings:
            raise ValueError(
                f"text {number}: {len(ids)} tokens, the model takes {model.config.max_position_embeddings}"
            )
        document = tensors_of(model, ids, number in hidden_states, number in attentions)
        tensors |= {f"{number}.{name}": value for name, value in document.items()}
    save_file(tensors, out, {"texts": json.dumps(texts, ensure_ascii=False)})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="a Hugging Face folder")
    parser.add_argument("output", type=Path, help="the safetensors file to write")
    parser.add_argument("--text", action="append", default=[], help="a document; may be given again")
    parser.add_argument("--input", type=Path, help="a file with one document a line")
    parser.add_argument("--hidden-states", action="store_true")
    parser.add_argument("--attentions", action="store_true")
    args = parser.parse_args()
    logging.set_verbosity_error()
    torch.set_num_threads(1)
    texts = args.text + (args.input.read_text(encoding="utf-8").splitlines() if args.input else [])
    if not texts:
        parser.error("no documents: give --text or --input")
    every = range(len(texts))
    write_reference(
        args.model, args.output, texts, every if args.hidden_states else (), every if args.attentions else ()
    )


if __name__ == "__main__":
    main()
