"""Golden files of layers.test.ts and optimizer.test.ts: PyTorch's values and gradients of single layers, and its AdamW.

usage: .cache/peers/bin/python tests/parity/make-layers.py      (writes golden/layers.json and golden/optimizer.json)
A case has named inputs, a random cotangent `dy`, the output `y` and the gradient of sum(y * dy) for every float input.
"""

import json
import math
import pathlib

import torch
from torch.nn import functional as F
from transformers.models.llama.modeling_llama import LlamaRMSNorm, apply_rotary_pos_emb, repeat_kv

FOLDER = pathlib.Path(__file__).parent / "golden"
generator = torch.Generator().manual_seed(12)


def normal(*shape):
    return torch.randn(shape, generator=generator)


def flat(tensor):
    values = [float(f"{v:.9g}") for v in tensor.detach().double().reshape(-1).tolist()]
    return {"shape": list(tensor.shape), "values": values}


def case(layer, **inputs):
    leaves = {k: v.clone().requires_grad_() if v.is_floating_point() else v for k, v in inputs.items()}
    y = layer(**leaves)
    dy = normal(*y.shape)
    (y * dy).sum().backward()
    gradients = {k: flat(v.grad) for k, v in leaves.items() if v.is_floating_point()}
    return {"inputs": {k: flat(v) for k, v in inputs.items()}, "dy": flat(dy), "y": flat(y), "gradients": gradients}


def rms_norm(x, weight):
    norm = LlamaRMSNorm(x.shape[-1], eps=1e-5)
    return weight * norm(x)


def rotary(x):
    T, D = x.shape[-2:]
    frequencies = 10000.0 ** (-torch.arange(0, D, 2) / D)
    angles = torch.arange(T)[:, None] * frequencies[None]
    angles = torch.cat([angles, angles], dim=-1)[None]
    return apply_rotary_pos_emb(x, x, angles.cos(), angles.sin())[0]


def cross_entropy(logits, targets):
    return F.cross_entropy(logits, targets, ignore_index=-1, reduction="sum")


def attention(q, k, v):
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


def grouped_attention(q, k, v):
    return F.scaled_dot_product_attention(q, repeat_kv(k, 3), repeat_kv(v, 3), is_causal=True)


heads = (2, 3, 5, 4)
layers = {
    "layerNorm": case(lambda x, weight, bias: F.layer_norm(x, (8,), weight, bias), x=3 * normal(6, 8), weight=normal(8), bias=normal(8)),
    "rmsNorm": case(rms_norm, x=3 * normal(6, 8), weight=normal(8)),
    "gelu": case(lambda x: F.gelu(x, approximate="tanh"), x=3 * normal(4, 7)),
    "silu": case(lambda x: F.silu(x), x=3 * normal(4, 7)),
    "causalAttention": case(attention, q=normal(*heads), k=normal(*heads), v=normal(*heads)),
    "groupedAttention": case(grouped_attention, q=normal(2, 6, 5, 4), k=normal(2, 2, 5, 4), v=normal(2, 2, 5, 4)),
    "longAttention": case(attention, q=normal(1, 1, 128, 2), k=normal(1, 1, 128, 2), v=normal(1, 1, 128, 2)),
    "linear": case(lambda x, weight, bias: x @ weight + bias, x=normal(6, 5), weight=normal(5, 3), bias=normal(3)),
    "linearTransposed": case(lambda x, weight: F.linear(x, weight), x=normal(6, 5), weight=normal(7, 5)),
    "rotate": case(rotary, x=normal(*heads)),
    "embedding": case(lambda table, ids: F.embedding(ids, table).view(-1, 3), table=normal(7, 3), ids=torch.tensor([[1, 5, 1], [0, 6, 1]])),
    "crossEntropySum": case(cross_entropy, logits=4 * normal(5, 6), targets=torch.tensor([3, -1, 0, 5, -1])),
}

parameters = [torch.nn.Parameter(normal(3, 4)), torch.nn.Parameter(normal(4))]
begin = [flat(p) for p in parameters]
groups = [{"params": parameters[:1], "weight_decay": 0.1}, {"params": parameters[1:], "weight_decay": 0.0}]
optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99), eps=1e-8)
steps = []
for step, size in enumerate([0.01, 5.0, 0.2, 3.0, 1e-6]):
    gradients = [size * normal(*p.shape) for p in parameters]
    for p, gradient in zip(parameters, gradients):
        p.grad = gradient.clone()
    lr = 0.1 / (step + 1)
    for group in optimizer.param_groups:
        group["lr"] = lr
    norm = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    steps.append({"gradients": [flat(g) for g in gradients], "norm": norm.item(), "learningRate": lr, "after": [flat(p) for p in parameters]})

schedule = {"learningRate": 1e-3, "minLearningRate": 1e-4, "warmupSteps": 100, "maxSteps": 2000}


def nanogpt_rate(step):
    """As `get_lr` of karpathy/nanoGPT's train.py states it."""
    if step < 100:
        return 1e-3 * (step + 1) / 101
    if step > 2000:
        return 1e-4
    return 1e-4 + 0.5 * (1.0 + math.cos(math.pi * (step - 100) / 1900)) * 9e-4


rates = {str(step): nanogpt_rate(step) for step in [0, 1, 50, 99, 100, 101, 1000, 1999, 2000, 2001, 10_000]}
(FOLDER / "layers.json").write_text(json.dumps(layers) + "\n")
(FOLDER / "optimizer.json").write_text(json.dumps({"begin": begin, "steps": steps, "schedule": schedule, "rates": rates}) + "\n")
