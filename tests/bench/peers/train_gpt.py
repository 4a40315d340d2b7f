"""The peer of train-cpu.ts: one GPT training step (forward, backward, clipping, AdamW) in PyTorch, as fast as PyTorch does it on a CPU.

usage: train_gpt.py '{"layers":4,"heads":4,"width":128,"block":64,"batch":12,"vocabulary":65,"threads":2,"compiled":false}'
Each line "N" on standard input runs N steps and answers one line of JSON {"ms": [one a step], "cpu_ms": all together, "loss",
"peak_rss_mb"}.
"""

import json
import math
import resource
import sys
import time

import torch
import torch.nn as nn
from torch.nn import functional as F

S = json.loads(sys.argv[1])
torch.set_num_threads(S["threads"])
torch.manual_seed(1)
B, T, C, H, V = S["batch"], S["block"], S["width"], S["heads"], S["vocabulary"]


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(C))

    def forward(self, x):
        return F.layer_norm(x, (C,), self.weight)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1, self.ln_2 = Norm(), Norm()
        self.c_attn, self.c_proj = nn.Linear(C, 3 * C, bias=False), nn.Linear(C, C, bias=False)
        self.c_fc, self.m_proj = nn.Linear(C, 4 * C, bias=False), nn.Linear(4 * C, C, bias=False)

    def forward(self, x):
        q, k, v = (t.view(B, T, H, C // H).transpose(1, 2) for t in self.c_attn(self.ln_1(x)).split(C, dim=2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(B, T, C)
        x = x + self.c_proj(y)
        return x + self.m_proj(F.gelu(self.c_fc(self.ln_2(x)), approximate="tanh"))


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte, self.wpe, self.ln_f = nn.Embedding(V, C), nn.Embedding(T, C), Norm()
        self.h = nn.ModuleList(Block() for _ in range(S["layers"]))
        for name, p in self.named_parameters():
            if p.dim() == 2:
                nn.init.normal_(p, std=0.02 / math.sqrt(2 * S["layers"]) if "_proj" in name else 0.02)

    def forward(self, x, y):
        h = self.wte(x) + self.wpe.weight
        for block in self.h:
            h = block(h)
        return F.cross_entropy(F.linear(self.ln_f(h), self.wte.weight).view(-1, V), y.view(-1))


model = GPT()
decayed = [p for p in model.parameters() if p.dim() == 2]
plain = [p for p in model.parameters() if p.dim() < 2]
groups = [{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}]
optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99), fused=True)
forward = torch.compile(model) if S["compiled"] else model
generator = torch.Generator().manual_seed(7)


def step():
    ids = torch.randint(V, (B, T + 1), generator=generator)
    loss = forward(ids[:, :-1].contiguous(), ids[:, 1:].contiguous())
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


for line in sys.stdin:
    ms, loss, cpu = [], math.nan, time.process_time()
    for _ in range(int(line)):
        start = time.perf_counter()
        loss = step()
        ms.append((time.perf_counter() - start) * 1e3)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"ms": ms, "cpu_ms": (time.process_time() - cpu) * 1e3, "loss": loss, "peak_rss_mb": peak}), flush=True)
