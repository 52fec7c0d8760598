"""Do the loss curves of two settings overlap within the noise between seeds?

usage: loss_curves.py WINDOW A-RUN… -- B-RUN…

Each run is the folder that an example trainer left; the A runs differ in their seeds, and so do the B runs. For every WINDOW
steps: the mean loss of A and of B over their seeds, the difference of these means, also in standard errors as the spread
between seeds gives them, and the least and largest loss of an A seed. With three seeds each, equal curves are more than two
standard errors apart in one of nine windows (Student's t).
"""
import json
import math
import pathlib
import statistics
import sys


def losses(run):
    lines = (pathlib.Path(run) / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


def windows(runs, width):
    """Per window the mean loss of each run."""
    curves = [losses(run) for run in runs]
    steps = min(len(curve) for curve in curves)
    return [[statistics.fmean(curve[at:at + width]) for curve in curves] for at in range(0, steps - width + 1, width)]


def main():
    width, runs = int(sys.argv[1]), sys.argv[2:]
    middle = runs.index("--")
    a_runs, b_runs = runs[:middle], runs[middle + 1:]
    print(f"A: {len(a_runs)} runs, B: {len(b_runs)} runs\n{'steps':>11} {'A':>8} {'B':>8} {'B-A':>8} "
          f"{'of A':>7} {'errors':>7}  A's seeds")
    apart = 0
    pairs = list(zip(windows(a_runs, width), windows(b_runs, width)))
    for k, (a, b) in enumerate(pairs):
        error = math.sqrt(statistics.variance(a) / len(a) + statistics.variance(b) / len(b))
        difference = statistics.fmean(b) - statistics.fmean(a)
        apart += abs(difference) > 2 * error
        print(f"{k * width:>5}-{(k + 1) * width - 1:<5} {statistics.fmean(a):8.4f} {statistics.fmean(b):8.4f} {difference:8.4f} "
              f"{100 * difference / statistics.fmean(a):6.2f}% {difference / error:7.2f}  {min(a):.4f} to {max(a):.4f}")
    print(f"{apart} of {len(pairs)} windows are more than two standard errors apart")


if __name__ == "__main__":
    main()
