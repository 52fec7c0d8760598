#!/usr/bin/env python3
"""cuDNN's attention forward through PyTorch, one answer per line of stdin: the peer of cuda_bench.

    case PLANES LENGTH CAUSAL   ->  "ready" (16 planes of a batch element, head dim 128, bf16, random normal)
    time LAUNCHES               ->  milliseconds of one launch
"""

import sys

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

with sdpa_kernel(SDPBackend.CUDNN_ATTENTION), torch.no_grad():
    for line in sys.stdin:
        word, *rest = line.split()
        numbers = [int(x) for x in rest]
        if word == "case":
            planes, length, causal = numbers
            shape = (planes // 16, 16, length, 128)
            q, k, v = (torch.randn(shape, device="cuda", dtype=torch.bfloat16) for _ in range(3))
            scaled_dot_product_attention(q, k, v, is_causal=bool(causal))
            torch.cuda.synchronize()
            print(f"ready: torch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}", flush=True)
        elif word == "time":
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            for _ in range(numbers[0]):
                scaled_dot_product_attention(q, k, v, is_causal=bool(causal))
            end.record()
            torch.cuda.synchronize()
            print(start.elapsed_time(end) / numbers[0], flush=True)
