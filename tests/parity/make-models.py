"""Golden files of models.test.ts: tiny random Hugging Face models, their logits, losses and gradients.

usage: .cache/peers/bin/python tests/parity/make-models.py      (writes tests/parity/golden/models/<name>.safetensors)
Each file holds `weights.*`, `gradients.*` (of the summed loss), `ids`, `targets` (-1: no loss) or `labels` and `lengths`, `logits`
and `loss` (the sum), and the config.json under "config" in its metadata.
"""

import copy
import pathlib

import torch
from safetensors.torch import save_file
from torch.nn import functional as F
from transformers import (
    GPT2Config,
    GPT2ForSequenceClassification,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
)

FOLDER = pathlib.Path(__file__).parent / "golden" / "models"
PAD = 0
gpt2 = GPT2Config(
    vocab_size=61, n_positions=24, n_embd=24, n_layer=2, n_head=3, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
    bos_token_id=1, eos_token_id=1, pad_token_id=PAD,
)
llama = LlamaConfig(
    vocab_size=61, max_position_embeddings=24, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=6,
    num_key_value_heads=2, rms_norm_eps=1e-5, rope_theta=10000.0, tie_word_embeddings=False, bos_token_id=1, eos_token_id=1,
    pad_token_id=PAD,
)


def randomise(model, generator):
    """Weights large enough that a wrong sign or order shows in the logits; norms near one."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            p.copy_(1 + 0.1 * noise if "ln" in name.split(".")[-2] or "norm" in name else 0.15 * noise)


def language_case(generator):
    ids = torch.randint(2, 61, (3, 17), generator=generator)
    targets = torch.randint(0, 61, (3, 17), generator=generator)
    targets[torch.rand((3, 17), generator=generator) < 0.3] = -1
    return {"ids": ids, "targets": targets}


def labelled_case(generator):
    lengths = torch.tensor([17, 5, 11])
    ids = torch.randint(2, 61, (3, 17), generator=generator)
    ids[torch.arange(17)[None] >= lengths[:, None]] = PAD
    return {"ids": ids, "lengths": lengths, "labels": torch.tensor([2, 0, 1])}


def write(name, model, case, generator):
    randomise(model, generator)
    model.eval()
    mask = (case["ids"] != PAD).long()
    logits = model(case["ids"], attention_mask=mask).logits
    targets = case.get("targets", case.get("labels"))
    loss = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1), ignore_index=-1, reduction="sum")
    loss.backward()
    tensors = {"logits": logits.detach(), "loss": loss.detach().reshape(1), **{k: v.int() for k, v in case.items()}}
    for key, p in model.named_parameters():
        key = key.removeprefix("transformer.")
        tensors[f"weights.{key}"], tensors[f"gradients.{key}"] = p.detach(), p.grad
    config = model.config
    config.architectures = [type(model).__name__]
    FOLDER.mkdir(parents=True, exist_ok=True)
    tensors = {k: v.contiguous().clone() for k, v in tensors.items()}
    save_file(tensors, FOLDER / f"{name}.safetensors", metadata={"config": config.to_json_string(use_diff=False)})


def labelled(config):
    config = copy.deepcopy(config)
    config.num_labels = 3
    return config


generator = torch.Generator().manual_seed(20)
write("gpt2", GPT2LMHeadModel(gpt2), language_case(generator), generator)
write("gpt2-classifier", GPT2ForSequenceClassification(labelled(gpt2)), labelled_case(generator), generator)
write("llama", LlamaForCausalLM(llama), language_case(generator), generator)
write("llama-classifier", LlamaForSequenceClassification(labelled(llama)), labelled_case(generator), generator)
