"""Fine-tunes the encoder of a folder on CoNLL data; writes a folder for nervio, and its scores.

Words are taken as given, each judged by its first piece. Batches hold sentences of like length up to a number of
tokens; AdamW, a linear warm-up and a linear decay; the classifier learns faster than the encoder. After
each epoch the development set is scored by seqeval, and the best epoch is what is written (f16).

Example: python train_ner.py encoder es-ner --train esp.train --dev esp.testa
"""

import argparse
import copy
import json
import random
import time
from pathlib import Path

import torch
from seqeval.metrics import f1_score, precision_score, recall_score
from transformers import AutoModelForTokenClassification, AutoTokenizer

IGNORED = -100


def read_conll(file: Path) -> list[tuple[list[str], list[str]]]:
    """Sentences as words and tags: the first and the last column."""
    sentences, words, tags = [], [], []
    for line in [*file.read_text(encoding="utf-8").splitlines(), ""]:
        columns = line.split()
        if columns and columns[0] != "-DOCSTART-":
            words.append(columns[0])
            tags.append(columns[-1])
        elif words:
            sentences.append((words, tags))
            words, tags = [], []
    return sentences


def encode(tokenizer, sentences, ids: dict[str, int], longest: int) -> list[dict]:
    """Ids, the place of each word's first piece, and its label; longer sentences are cut."""
    examples = []
    for words, tags in sentences:
        encoding = tokenizer(words, is_split_into_words=True, truncation=True, max_length=longest)
        labels, before = [], None
        for word in encoding.word_ids():
            labels.append(IGNORED if word is None or word == before else ids[tags[word]])
            before = word
        examples.append({"ids": encoding["input_ids"], "labels": labels, "tags": tags})
    return examples


def batches(examples: list[dict], budget: int, seed: int | None) -> list[list[dict]]:
    """Examples of like length together, up to `budget` tokens with padding; shuffled with a seed."""
    chance = random.Random(seed)
    noise = (lambda: chance.uniform(-3, 3)) if seed is not None else (lambda: 0.0)
    order = sorted(examples, key=lambda example: len(example["ids"]) + noise())
    found, batch = [], []
    for example in order:
        if batch and len(example["ids"]) * (len(batch) + 1) > budget:
            found.append(batch)
            batch = []
        batch.append(example)
    found.append(batch)
    if seed is not None:
        chance.shuffle(found)
    return found


def tensors(batch: list[dict], pad: int) -> dict:
    """A batch, padded."""
    longest = max(len(example["ids"]) for example in batch)
    fill = lambda values, value: values + [value] * (longest - len(values))  # noqa: E731
    ids = torch.tensor([fill(example["ids"], pad) for example in batch])
    mask = torch.tensor([fill([1] * len(example["ids"]), 0) for example in batch])
    labels = torch.tensor([fill(example["labels"], IGNORED) for example in batch])
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


@torch.no_grad()
def score(model, examples: list[dict], labels: list[str], pad: int, budget: int) -> dict:
    """Precision, recall and F1 of all entities."""
    model.eval()
    gold, found = [], []
    for batch in batches(examples, 4 * budget, None):
        inputs = tensors(batch, pad)
        best = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).logits.argmax(-1)
        for row, marks, example in zip(best, inputs["labels"], batch):
            tags = [labels[int(label)] for label, mark in zip(row, marks) if int(mark) != IGNORED]
            tags += ["O"] * (len(example["tags"]) - len(tags))
            found.append(tags)
            gold.append(example["tags"])
    measures = {"precision": precision_score, "recall": recall_score, "f1": f1_score}
    return {name: round(float(measure(gold, found)), 6) for name, measure in measures.items()}


def optimizer_of(model, rate: float, head_rate: float):
    """AdamW with weight decay on matrices; the classifier has a rate of its own."""
    groups = []
    for is_head, learning in ((False, rate), (True, head_rate)):
        for decays in (False, True):
            parameters = [
                parameter
                for name, parameter in model.named_parameters()
                if name.startswith("classifier") == is_head and (parameter.dim() > 1) == decays
            ]
            groups.append({"params": parameters, "lr": learning, "weight_decay": 0.01 if decays else 0.0})
    return torch.optim.AdamW(groups)


def schedule(steps: int, warm_up: float):
    """The factor of the learning rate at each step: up in a line, then down to nothing."""
    first = max(1, int(steps * warm_up))
    return lambda step: min((step + 1) / first, max(0.0, (steps - step) / max(1, steps - first)))


def train(args) -> None:
    torch.manual_seed(args.seed)
    training, development = read_conll(args.train), read_conll(args.dev)
    if args.limit:
        training = training[: args.limit]
    labels = sorted({tag for _, tags in training + development for tag in tags})
    ids = {label: index for index, label in enumerate(labels)}
    tokenizer = AutoTokenizer.from_pretrained(args.folder)
    model = AutoModelForTokenClassification.from_pretrained(
        args.folder, id2label=dict(enumerate(labels)), label2id=ids, dtype=torch.float32
    )
    longest = model.config.max_position_embeddings
    train_set, dev_set = (encode(tokenizer, x, ids, longest) for x in (training, development))
    plan = [batches(train_set, args.batch_tokens, args.seed + epoch) for epoch in range(args.epochs)]
    optimizer = optimizer_of(model, args.rate, args.head_rate)
    factor = schedule(sum(map(len, plan)), args.warm_up)
    rates = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    pad, best, history = tokenizer.pad_token_id, None, []
    for epoch, steps in enumerate(plan, 1):
        model.train()
        start, total = time.time(), 0.0
        for batch in steps:
            loss = model(**tensors(batch, pad)).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            rates.step()
            optimizer.zero_grad(set_to_none=True)
            total += loss.item()
        scores = score(model, dev_set, labels, pad, args.batch_tokens)
        scores |= {"epoch": epoch, "loss": round(total / len(steps), 5), "seconds": round(time.time() - start)}
        print(json.dumps(scores), flush=True)
        history.append(scores)
        if best is None or scores["f1"] > best["f1"]:
            best = scores
            copy.deepcopy(model).half().save_pretrained(args.out)
            tokenizer.save_pretrained(args.out)
    report = {"best": best, "epochs": history, "sentences": len(training), "seed": args.seed}
    (args.out / "scores.json").write_text(json.dumps(report, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="an encoder, or a model to train further")
    parser.add_argument("out", type=Path, help="the new folder")
    parser.add_argument("--train", type=Path, required=True, help="a CoNLL file")
    parser.add_argument("--dev", type=Path, required=True, help="a CoNLL file")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--rate", type=float, default=1e-4, help="the encoder's peak learning rate")
    parser.add_argument("--head-rate", type=float, default=5e-4, help="the classifier's")
    parser.add_argument("--warm-up", type=float, default=0.1, help="share of the steps")
    parser.add_argument("--batch-tokens", type=int, default=1024)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=int, help="only so many sentences, for a trial")
    args = parser.parse_args()
    if args.out.exists() and any(args.out.iterdir()):
        parser.error(f"{args.out} has files in it; name a new folder")
    train(args)


if __name__ == "__main__":
    main()
