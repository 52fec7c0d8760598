#!/usr/bin/env python3
"""PyTorch's training steps, compiled, bf16 by autocast, AdamW fused: the peer of cuda_train_bench.

One answer per line of stdin:
    model NAME   ->  "ready: …" once the first step has run; gpt2, vit, dit or resnet
    time STEPS   ->  milliseconds of a step
    profile      ->  JSON: milliseconds of a step's kernels, those of attention and all others, and the longest of them
`train_peer.py compile NAME…` leaves the models' compiled code in TORCHINDUCTOR_CACHE_DIR and asks for no line.
"""

import collections
import json
import pathlib
import re
import sys
import tempfile
import time

import torch
from torch import nn
from torch.nn import functional as F

WIDTH, DEPTH, HEADS = 768, 12, 12
ATTENTION = re.compile("flash|fmha|sdpa|attention|dot_do_o|convert_dq", re.IGNORECASE)  # and around cuDNN's backward


class Layer(nn.Module):
    """A pre-norm transformer block; `modulation` is shift, scale and gate of attention, then of the MLP."""

    def __init__(self, causal):
        super().__init__()
        self.causal = causal
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def attend(self, x):
        heads = self.qkv(x).unflatten(-1, (3, HEADS, WIDTH // HEADS)).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(heads[0], heads[1], heads[2], is_causal=self.causal)
        return self.out(y.transpose(1, 2).flatten(2))

    def mix(self, x):
        return self.down(F.gelu(self.up(x), approximate="tanh"))

    def forward(self, x, modulation=None):
        if modulation is None:
            x = x + self.attend(self.norm1(x))
            return x + self.mix(self.norm2(x))
        shift1, scale1, gate1, shift2, scale2, gate2 = modulation
        x = x + gate1 * self.attend(self.norm1(x) * (1 + scale1) + shift1)
        return x + gate2 * self.mix(self.norm2(x) * (1 + scale2) + shift2)


def layers(causal):
    return nn.ModuleList(Layer(causal) for _ in range(DEPTH))


class Gpt2(nn.Module):
    def __init__(self, vocabulary=50304, context=1024):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, WIDTH), nn.Embedding(context, WIDTH)
        self.layers, self.norm = layers(causal=True), nn.LayerNorm(WIDTH)

    def forward(self, ids, target):
        x = self.tokens(ids) + self.positions.weight[: ids.shape[1]]
        for layer in self.layers:
            x = layer(x)
        logits = F.linear(self.norm(x), self.tokens.weight)
        return F.cross_entropy(logits.float().flatten(0, 1), target.flatten())

    @staticmethod
    def batch():
        ids = torch.randint(0, 50304, (32, 1024), device="cuda")
        return ids, ids.roll(-1, 1)


class Vit(nn.Module):
    def __init__(self, classes=1000, patches=196):
        super().__init__()
        self.patches = nn.Conv2d(3, WIDTH, 16, 16)
        self.first, self.positions = nn.Parameter(torch.zeros(1, 1, WIDTH)), nn.Parameter(torch.zeros(1, patches + 1, WIDTH))
        self.layers, self.norm, self.head = layers(causal=False), nn.LayerNorm(WIDTH), nn.Linear(WIDTH, classes)

    def forward(self, images, target):
        x = self.patches(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(len(x), -1, -1), x], 1) + self.positions
        for layer in self.layers:
            x = layer(x)
        return F.cross_entropy(self.head(self.norm(x[:, 0])).float(), target)

    @staticmethod
    def batch():
        return torch.randn(256, 3, 224, 224, device="cuda"), torch.randint(0, 1000, (256,), device="cuda")


class Dit(nn.Module):
    def __init__(self, side=16, patch=2, channels=4):
        super().__init__()
        self.side, self.patch, self.channels = side, patch, channels
        self.patches = nn.Conv2d(channels, WIDTH, patch, patch)
        self.positions = nn.Parameter(torch.zeros(1, side * side, WIDTH))
        self.time1, self.time2, self.labels = nn.Linear(256, WIDTH), nn.Linear(WIDTH, WIDTH), nn.Embedding(1001, WIDTH)
        self.modulations = nn.ModuleList(nn.Linear(WIDTH, 6 * WIDTH) for _ in range(DEPTH))
        self.layers = layers(causal=False)
        self.norm, self.head = nn.LayerNorm(WIDTH, elementwise_affine=False), nn.Linear(WIDTH, patch * patch * channels)

    def forward(self, x0, label, t, eps):
        at = t[:, None, None, None]
        angle = 1000 * t[:, None] * torch.exp(torch.arange(128, device=t.device) * (-9.2103404 / 128))
        condition = self.time2(F.silu(self.time1(torch.cat([angle.sin(), angle.cos()], -1)))) + self.labels(label)
        x = self.patches((1 - at) * x0 + at * eps).flatten(2).transpose(1, 2) + self.positions
        for layer, modulation in zip(self.layers, self.modulations):
            x = layer(x, modulation(F.silu(condition)).unsqueeze(1).chunk(6, -1))
        y = self.head(self.norm(x)).unflatten(1, (self.side, self.side)).unflatten(-1, (self.patch, self.patch, self.channels))
        y = y.permute(0, 5, 1, 3, 2, 4).reshape(x0.shape)
        return (y.float() - (eps - x0)).square().mean()

    @staticmethod
    def batch():
        pictures = (torch.randn(256, 4, 32, 32, device="cuda") for _ in range(2))
        return next(pictures), torch.randint(0, 1000, (256,), device="cuda"), torch.rand(256, device="cuda"), next(pictures)


class Resnet(nn.Module):
    def __init__(self):
        super().__init__()
        from torchvision.models import resnet50

        self.net = resnet50().to(memory_format=torch.channels_last)

    def forward(self, images, target):
        return F.cross_entropy(self.net(images).float(), target)

    @staticmethod
    def batch():
        images, target = Vit.batch()
        return images.to(memory_format=torch.channels_last), target


MODELS = {"gpt2": Gpt2, "vit": Vit, "dit": Dit, "resnet": Resnet}


class Training:
    def __init__(self, name):
        torch.manual_seed(0)
        model = MODELS[name]().cuda()
        self.batch = MODELS[name].batch()
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
        self.model = torch.compile(model, dynamic=False)
        start = time.time()
        self.step()
        torch.cuda.synchronize()
        self.first = time.time() - start
        for _ in range(3):
            self.step()

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", torch.bfloat16):
            loss = self.model(*self.batch)
        loss.backward()
        self.optimizer.step()

    def time(self, steps):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(steps):
            self.step()
        end.record()
        torch.cuda.synchronize()
        return start.elapsed_time(end) / steps

    def profile(self, steps=4):
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
            for _ in range(steps):
                self.step()
            torch.cuda.synchronize()
        with tempfile.TemporaryDirectory() as folder:
            trace = pathlib.Path(folder) / "trace.json"
            profile.export_chrome_trace(str(trace))
            events = json.loads(trace.read_text())["traceEvents"]
        kernels = collections.Counter()
        for event in events:  # the device's own work; ranges that somebody named lie around it
            if event.get("cat") in ("kernel", "gpu_memcpy", "gpu_memset"):
                kernels[event["name"]] += event["dur"] / 1e3 / steps
        attention = sum(ms for name, ms in kernels.items() if ATTENTION.search(name))
        return {"attention": attention, "other": sum(kernels.values()) - attention,
                "longest": [[ms, name] for name, ms in kernels.most_common(30)]}


def main():
    if sys.argv[1:2] == ["compile"]:
        for name in sys.argv[2:]:
            print(f"{name}: first step {Training(name).first:.1f} s", flush=True)
        return
    training = None
    for line in sys.stdin:
        word, *rest = line.split()
        if word == "model":
            training = Training(rest[0])
            peak = torch.cuda.max_memory_allocated() / 1e9
            print(f"ready: torch {torch.__version__}, first step {training.first:.1f} s, {peak:.1f} GB at most", flush=True)
        elif word == "time":
            print(training.time(int(rest[0])), flush=True)
        elif word == "profile":
            print(json.dumps(training.profile()), flush=True)


if __name__ == "__main__":
    main()
