"""The same seed gives the same bytes: one example trainer, run three times on small data of its own.

usage: same_bytes.py PROGRAM [steps [flags]]

With one thread; with two; and with one, killed with SIGKILL as soon as a checkpoint of about a third of the way is
there, then resumed with two. Model, optimizer and state must be equal byte for byte. Resumed with another seed, it refuses.
"""
import gzip
import hashlib
import pathlib
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time


def write_text(path):
    draw = random.Random(1)
    words = ["".join(draw.choices("abcdefghij", k=draw.randint(1, 9))) for _ in range(400)]
    path.write_text(" ".join(draw.choices(words, k=4000)))


def write_pictures(folder):
    draw = random.Random(1)
    folder.mkdir()
    for name, count in (("train", 512), ("t10k", 64)):
        with gzip.open(folder / f"{name}-images-idx3-ubyte.gz", "wb") as file:
            file.write(struct.pack(">4B3I", 0, 0, 8, 3, count, 28, 28) + draw.randbytes(count * 28 * 28))
        with gzip.open(folder / f"{name}-labels-idx1-ubyte.gz", "wb") as file:
            file.write(struct.pack(">4BI", 0, 0, 8, 1, count) + bytes(draw.randrange(10) for _ in range(count)))


def digests(run, steps):
    """SHA-256 of each file of the last checkpoint."""
    files = sorted((run / f"step-{steps}").iterdir())
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def kill_after_checkpoint(command, run, step):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None and not (run / f"step-{step}").exists():
        time.sleep(0.002)
    if process.poll() is not None:
        sys.exit(f"the trainer ended by itself, with {process.returncode}, before it could be killed")
    process.send_signal(signal.SIGKILL)
    process.wait()


def main():
    program = sys.argv[1]
    steps = int(sys.argv[2]) if len(sys.argv) > 2 else 24
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_text(folder / "text.txt")
        write_pictures(folder / "pictures")
        data = {
            "train_gpt": ["--text", folder / "text.txt", "--batch", "2", "--sample", "0"],
            "train_vit": ["--data", folder / "pictures", "--batch", "8"],
            "train_ddpm": ["--data", folder / "pictures", "--batch", "4", "--samples", "0"],
        }[pathlib.Path(program).name]
        command = [program, "--steps", str(steps), "--seed", "3", *map(str, data), *sys.argv[3:]]

        def run(name, threads, *more):
            subprocess.run([*command, "--out", folder / name, "--threads", str(threads), *more], check=True,
                           stdout=subprocess.DEVNULL)
            return digests(folder / name, steps)

        third = max(1, steps // 3)
        one = run("one", 1)
        two = run("two", 2)
        resumed = [*command, "--out", folder / "resumed", "--threads", "1", "--save-every", str(third)]
        kill_after_checkpoint(resumed, folder / "resumed", third)
        again = run("resumed", 2, "--resume")
        for what, other in (("two threads", two), ("killed and resumed", again)):
            if other != one:
                sys.exit(f"{what}: {other}\none thread: {one}")
        other_seed = ["4" if word == "3" else word for word in command]
        other = subprocess.run([*other_seed, "--out", folder / "resumed", "--resume"], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if other.returncode != 1 or not other.stderr.startswith("ValueError: the run in "):
            sys.exit(f"resumed with another seed: {other.returncode}, {other.stderr}")
        print(f"{pathlib.Path(program).name}: {steps} steps, one thread = two threads = killed and resumed")
        for file, digest in one.items():
            print(f"  {digest}  {file}")


main()
