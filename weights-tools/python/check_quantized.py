"""Checks a quantised model folder against its source: F1 on CoNLL data and share of equal labels.

Both folders run in transformers' BertForTokenClassification, in f32: 8-bit matrices are widened by their
scales first (`X.weight` I8 [rows, columns] times `X.weight_scale` F32 [rows]), so that what is measured is
the loss of the weights alone. Words go in as the data has them, and each word takes the label of its first
piece; scores are seqeval's micro averages. Exits with 1 when F1 fell by more than `--max-drop` points.

Needs requirements.txt beside this script.

Example: python check_quantized.py MODEL MODEL-int8 --data esp.testa
"""

import argparse
import sys
from pathlib import Path

import torch
from safetensors import safe_open
from seqeval.metrics import f1_score, precision_score, recall_score
from transformers import AutoTokenizer, BertConfig, BertForTokenClassification

SCALE = "_scale"
BATCH_TOKENS = 4096

Sentence = tuple[list[str], list[str]]


def read_conll(file: Path) -> list[Sentence]:
    """Sentences as (words, tags): first and last column, an empty line between sentences."""
    sentences, words, tags = [], [], []
    for line in file.read_text(encoding="utf-8").splitlines() + [""]:
        columns = line.split()
        if columns:
            words.append(columns[0])
            tags.append(columns[-1])
        elif words:
            sentences.append((words, tags))
            words, tags = [], []
    return sentences


def read_weights(folder: Path) -> dict[str, torch.Tensor]:
    """The tensors of `model.safetensors` as f32, 8-bit matrices multiplied by the scales of their rows."""
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        stored = {name: file.get_tensor(name) for name in file.keys()}
    weights = {}
    for name, tensor in stored.items():
        if name.endswith(SCALE) and name.removesuffix(SCALE) in stored:
            continue
        weights[name] = tensor.float()
        if tensor.dtype == torch.int8:
            weights[name] *= stored[name + SCALE][:, None]
    return weights


def load(folder: Path) -> BertForTokenClassification:
    """The model of a folder in f32; refuses tensors that are missing or left over."""
    model = BertForTokenClassification(BertConfig.from_pretrained(folder))
    model.load_state_dict(read_weights(folder), strict=True)
    return model.eval()


def batches(lengths: list[int]) -> list[list[int]]:
    """Indices by rising length, in batches of at most BATCH_TOKENS tokens with their padding."""
    result: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if not result or (len(result[-1]) + 1) * lengths[index] > BATCH_TOKENS:
            result.append([])
        result[-1].append(index)
    return result


def predict(folder: Path, sentences: list[Sentence]) -> list[list[str]]:
    """A label for each word of each sentence; a word without pieces is `O`."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), load(folder)
    encodings = [tokenizer(words, is_split_into_words=True) for words, _ in sentences]
    longest = max(len(encoding["input_ids"]) for encoding in encodings)
    if longest > model.config.max_position_embeddings:
        raise ValueError(f"a sentence has {longest} pieces: expected {model.config.max_position_embeddings} at most")
    labels = [["O"] * len(words) for words, _ in sentences]
    for batch in batches([len(encoding["input_ids"]) for encoding in encodings]):
        inputs = tokenizer.pad([dict(encodings[index]) for index in batch], return_tensors="pt")
        with torch.inference_mode():
            best = model(**inputs).logits.argmax(-1)
        for index, row in zip(batch, best.tolist()):
            word_of = encodings[index].word_ids()
            for piece, word in enumerate(word_of):
                if word is not None and word != word_of[piece - 1]:
                    labels[index][word] = model.config.id2label[row[piece]]
    return labels


def main() -> None:
    """Scores both folders and compares them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="the model folder that was quantised")
    parser.add_argument("quantized", type=Path, help="the folder that was made of it")
    parser.add_argument("--data", type=Path, required=True, help="CoNLL columns: word first, tag last")
    parser.add_argument("--max-drop", type=float, default=0.2, help="points of F1 that may be lost")
    parser.add_argument("--threads", type=int, default=1, help="threads of PyTorch")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    sentences = read_conll(args.data)
    expected = [tags for _, tags in sentences]
    predicted, f1 = {}, {}
    for folder in (args.source, args.quantized):
        tags = predicted[folder] = predict(folder, sentences)
        f1[folder] = 100 * f1_score(expected, tags)
        precision, recall = 100 * precision_score(expected, tags), 100 * recall_score(expected, tags)
        print(f"{folder}: P {precision:.2f}  R {recall:.2f}  F1 {f1[folder]:.2f}", flush=True)

    pairs = [
        pair
        for before, after in zip(predicted[args.source], predicted[args.quantized])
        for pair in zip(before, after)
    ]
    equal = sum(before == after for before, after in pairs)
    drop = f1[args.source] - f1[args.quantized]
    print(f"equal labels: {equal} of {len(pairs)} ({100 * equal / len(pairs):.2f} %); F1 lost: {drop:.2f}")
    if drop > args.max_drop:
        sys.exit(f"expected a loss of at most {args.max_drop} points of F1, found {drop:.2f}")


if __name__ == "__main__":
    main()
