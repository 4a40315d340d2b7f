"""Golden file for tokenizers, by Hugging Face's library `tokenizers`.

Run with the peers (make-peers.sh) and Node 24 on the PATH: .cache/peers/bin/python tests/parity/make-text-golden.py
It holds a corpus made of invented words, what that library learns from it, and the ids that it gives to hard texts: with the
vocabularies it learned, and with the tokenizer.json files that we write (write-tokenizers.ts).
"""

import hashlib
import json
import pathlib
import random
import subprocess
import unicodedata

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

HERE = pathlib.Path(__file__).parent
OUT = HERE / "golden" / "text-hf.json"
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
rng = random.Random(11)


def invented_corpus():
    """Words of syllables, with frequencies that fall like those of a language, contractions, numbers and punctuation."""
    syllables = ["ba", "ro", "ti", "len", "sha", "ö", "ku", "že", "mno", "st", "ing", "er", "ly"]
    words = ["".join(rng.choices(syllables, k=rng.randint(1, 4))) for _ in range(150)]
    weights = [1 / (rank + 1) for rank in range(len(words))]
    parts = []
    for _ in range(900):
        word = rng.choices(words, weights)[0]
        ending = rng.choices(["", "'s", "'ll", ",", ".\n", "!", "  "], [60, 3, 2, 8, 6, 2, 3])[0]
        parts.append((word.capitalize() if rng.random() < 0.1 else word) + ending)
        if rng.random() < 0.05:
            parts.append(str(rng.randint(0, 9999)))
    # All characters of the special token, so that a vocabulary of characters can write it as text.
    return " ".join(parts) + " <|endoftext |>"


def hard_texts():
    fragments = ["the", "I'll", "don't", "'S", "'", " ", "  ", "\n", "\r\n", "\t", "\u0085", "\u00a0", "\u3000", "\ufeff", "0", "42",
                 "٣", "½", "é", "e\u0301", "ż", "中文", "Привет", "हिन्दी", "𝒜", "🦊", "👩‍👩‍👧", "...", "--", "_", "\x00", "barolen", *SPECIALS]
    assigned = [chr(c) for c in range(0x20, 0x2FFFF) if unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co")]
    pick = lambda: rng.choice(fragments) if rng.random() < 0.9 else rng.choice(assigned)
    return ["".join(pick() for _ in range(rng.randint(1, 14))) for _ in range(60)]


def learn(pre_tokenizer, corpus):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500, min_frequency=2, special_tokens=SPECIALS, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator([corpus], trainer)
    return tokenizer


def ids_of(tokenizer, texts):
    """Special tokens parsed, and as text."""
    def encode(text, as_text):
        tokenizer.encode_special_tokens = as_text
        return tokenizer.encode(text, add_special_tokens=False).ids
    return {"parse": [encode(t, False) for t in texts], "text": [encode(t, True) for t in texts]}


def main():
    corpus, texts = invented_corpus(), hard_texts()
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    rules = {"gpt2": byte_level,
             "smollm": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level])}
    learned = {}
    for name, rule in rules.items():
        tokenizer = learn(rule, corpus)
        learned[name] = {"file": json.loads(tokenizer.to_str()), "ids": ids_of(tokenizer, texts)}

    script = [str(HERE / "write-tokenizers.ts")]
    written = json.loads(subprocess.run(["node", *script], input=corpus.encode(), capture_output=True, check=True).stdout)
    known = [t for t in texts if all(c in corpus for c in t)] + [corpus[:200], corpus[-200:] + SPECIALS[0]]
    ours = {}
    for name, text in written.items():
        tokenizer = Tokenizer.from_str(text)
        asked = known if name == "char" else texts
        if "char" not in name:
            assert all(tokenizer.decode(tokenizer.encode(t).ids, skip_special_tokens=False) == t for t in asked)
        ours[name] = {"sha256": hashlib.sha256(text.encode()).hexdigest(), "texts": None if asked is texts else asked, "ids": ids_of(tokenizer, asked)}

    OUT.write_text(json.dumps({"corpus": corpus, "texts": texts, "learned": learned, "written": ours}, ensure_ascii=False, separators=(",", ":")) + "\n")


main()
