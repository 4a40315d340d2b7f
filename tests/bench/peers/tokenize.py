"""The peer of tokenize.ts: Hugging Face's `tokenizers` on one thread.

usage: tokenize.py FOLDER   (documents.json: a list of texts, gpt2.json: tokenizer.json of GPT-2)
Each line "encode" or "train N" on standard input does it once and answers one line of JSON.
"""

import hashlib
import json
import pathlib
import struct
import sys
import time

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

folder = pathlib.Path(sys.argv[1])
documents = json.loads((folder / "documents.json").read_text())
gpt2 = Tokenizer.from_file(str(folder / "gpt2.json"))
gpt2.encode_special_tokens = True


def encode():
    began = time.perf_counter()
    encoded = gpt2.encode_batch_fast(documents, add_special_tokens=False)
    ms = (time.perf_counter() - began) * 1000
    ids = [i for e in encoded for i in e.ids]
    return {"ms": ms, "tokens": len(ids), "sha256": hashlib.sha256(struct.pack(f"<{len(ids)}I", *ids)).hexdigest()}


def train(size):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=size, min_frequency=2, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    began = time.perf_counter()
    tokenizer.train_from_iterator(documents, trainer)
    ms = (time.perf_counter() - began) * 1000
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return {"ms": ms, "sha256": hashlib.sha256("\n".join(" ".join(m) for m in merges).encode()).hexdigest()}


for line in sys.stdin:
    name, *arguments = line.split()
    print(json.dumps(encode() if name == "encode" else train(int(arguments[0]))), flush=True)
