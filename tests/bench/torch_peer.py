#!/usr/bin/env python3
"""The same training steps and products in PyTorch on the CPU, one answer per line of stdin: the peer of torch_bench.

    step NAME MODE THREADS        ->  "ready PARAMETERS SECONDS" of the first step; NAME: gpt vit unet context, MODE: eager compiled
    product M N K AT BT THREADS   ->  "ready 0 0"; AT, BT: 1 where the operand lies transposed
    time                          ->  seconds of a call; short ones are repeated for 40 ms after one that does not count
    memory                        ->  megabytes that the process held at most

torch.compile runs on all cores; everything that is timed runs on those that the process was started with (taskset).
"""

import math
import os
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F


def feed_forward(width):
    return nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width))


class Transformer(nn.Module):
    """Blocks of pre-norm attention and feed-forward, the norm at the end included."""

    def __init__(self, width, layers, heads, causal):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.blocks = nn.ModuleList(
            nn.ModuleDict({"norm1": nn.LayerNorm(width), "qkv": nn.Linear(width, 3 * width),
                           "out": nn.Linear(width, width), "norm2": nn.LayerNorm(width), "mlp": feed_forward(width)})
            for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        for block in self.blocks:
            qkv = block["qkv"](block["norm1"](x)).unflatten(-1, (3, self.heads, -1))
            q, k, v = (part.transpose(1, 2) for part in qkv.unbind(2))
            heads = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
            x = x + block["out"](heads.transpose(1, 2).flatten(2))
            x = x + block["mlp"](block["norm2"](x))
        return self.norm(x)


class Gpt(nn.Module):
    def __init__(self, context):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(256, 256), nn.Embedding(context, 256)
        self.body = Transformer(256, 6, 8, causal=True)

    def forward(self, ids, targets):
        hidden = self.body(self.tokens(ids) + self.positions.weight)
        return F.cross_entropy((hidden @ self.tokens.weight.T).flatten(0, 1), targets.flatten())


class Vit(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(1, 128, 4, stride=4)
        self.class_token, self.positions = nn.Parameter(torch.zeros(1, 1, 128)), nn.Parameter(torch.zeros(1, 50, 128))
        self.body = Transformer(128, 6, 4, causal=False)
        self.head = nn.Linear(128, 10)

    def forward(self, images, labels):
        tokens = self.patches(images).flatten(2).mT
        tokens = torch.cat([self.class_token.expand(len(images), 1, 128), tokens], dim=1)
        return F.cross_entropy(self.head(self.body(tokens + self.positions)[:, 0]), labels)


class Residual(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(8, inputs), nn.Conv2d(inputs, outputs, 3, padding=1)
        self.time = nn.Linear(128, outputs)
        self.norm2, self.conv2 = nn.GroupNorm(8, outputs), nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x, embedding):
        h = self.conv1(F.silu(self.norm1(x))) + self.time(F.silu(embedding))[..., None, None]
        return self.skip(x) + self.conv2(F.silu(self.norm2(h)))


class PixelAttention(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.qkv, self.out = nn.Conv2d(channels, 3 * channels, 1), nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        q, k, v = self.qkv(self.norm(x)).flatten(2).mT.unsqueeze(1).chunk(3, dim=-1)
        return x + self.out(F.scaled_dot_product_attention(q, k, v).squeeze(1).mT.reshape(x.shape))


class Unet(nn.Module):
    widths = (32, 64, 128)

    def __init__(self):
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(64, 128), nn.SiLU(), nn.Linear(128, 128))
        self.input = nn.Conv2d(1, 32, 3, padding=1)
        channels, skips = 32, [32]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, width in enumerate(self.widths):
            for _ in range(2):
                self.down.append(Residual(channels, width))
                channels = width
                skips.append(channels)
            if level < 2:
                self.down.append(nn.Conv2d(channels, channels, 3, stride=2, padding=1))
                skips.append(channels)
        self.middle = nn.ModuleList([Residual(128, 128), PixelAttention(128), Residual(128, 128)])
        for level in (2, 1, 0):
            for _ in range(3):
                self.up.append(Residual(channels + skips.pop(), self.widths[level]))
                channels = self.widths[level]
            if level > 0:
                self.up.append(nn.Conv2d(channels, channels, 3, padding=1))
        self.norm, self.output = nn.GroupNorm(8, 32), nn.Conv2d(32, 1, 3, padding=1)

    def forward(self, images, times, noise):
        signal = torch.cos(times * (math.pi / 2))[:, None, None, None]
        x = self.input(signal * images + torch.sqrt(1 - signal * signal) * noise)
        angles = 1000 * times[:, None] * torch.exp(torch.arange(32) * (-math.log(1e4) / 32))
        e = self.embed(torch.cat([angles.sin(), angles.cos()], dim=1))
        skips = [x]
        for module in self.down:
            x = module(x, e) if isinstance(module, Residual) else module(x)
            skips.append(x)
        first, attention, last = self.middle
        x = last(attention(first(x, e)), e)
        for module in self.up:
            if isinstance(module, Residual):
                x = module(torch.cat([x, skips.pop()], dim=1), e)
            else:
                x = module(F.interpolate(x, scale_factor=2.0))
        return F.mse_loss(self.output(F.silu(self.norm(x))), noise)


def tokens(batch, context):
    return torch.randint(0, 256, (batch, context)), torch.randint(0, 256, (batch, context))


STEPS = {
    "gpt": lambda: (Gpt(256), tokens(16, 256)),
    "context": lambda: (Gpt(1024), tokens(4, 1024)),
    "vit": lambda: (Vit(), (torch.randn(128, 1, 28, 28), torch.randint(0, 10, (128,)))),
    "unet": lambda: (Unet(), (torch.randn(64, 1, 28, 28), torch.rand(64), torch.randn(64, 1, 28, 28))),
}


def training_step(name, mode):
    model, batch = STEPS[name]()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    loss_of = torch.compile(model, dynamic=False) if mode == "compiled" else model

    def call():
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(*batch)
        loss.backward()
        optimizer.step()
        return loss.item()

    return call, sum(p.numel() for p in model.parameters())


def product(m, n, k, a_transposed, b_transposed):
    a = torch.rand(k, m).T if a_transposed else torch.rand(m, k)
    b = torch.rand(n, k).T if b_transposed else torch.rand(k, n)
    return lambda: a @ b


def timed(call):
    start = time.perf_counter()
    call()
    once = time.perf_counter() - start
    if once > 0.04:
        return once
    repetitions = max(1, round(0.04 / once))
    start = time.perf_counter()
    for _ in range(repetitions):
        call()
    return (time.perf_counter() - start) / repetitions


def peak_megabytes():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) * 1024e-6


def run_on(cores):
    for thread in os.listdir("/proc/self/task"):
        os.sched_setaffinity(int(thread), cores)


cores = os.sched_getaffinity(0)
torch.manual_seed(0)
for line in sys.stdin:
    word, *rest = line.split()
    if word == "step":
        torch.set_num_threads(int(rest[2]))
        if rest[1] == "compiled":
            run_on(range(os.cpu_count()))
        call, parameters = training_step(rest[0], rest[1])
        start = time.perf_counter()
        call()
        first = time.perf_counter() - start
        call()
        run_on(cores)
        print("ready", parameters, f"{first:.1f}", flush=True)
    elif word == "product":
        m, n, k, a_transposed, b_transposed, threads = map(int, rest)
        torch.set_num_threads(threads)
        call = product(m, n, k, a_transposed, b_transposed)
        call()
        print("ready 0 0", flush=True)
    elif word == "time":
        print(timed(call), flush=True)
    elif word == "memory":
        print(peak_megabytes(), flush=True)
