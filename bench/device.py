"""One accelerator and one paper-scale ResNet-9: the machine's rates, then seconds per model in several forms.

    python bench/device.py --device cuda                a GPU; about 5 minutes with the default --limit
    python bench/device.py --device cpu --tiny          the same code cut small, to see that it runs

Prints one JSON line per figure. Each form's seconds per model are predicted before they are measured, from the two
measured rates: arithmetic at the matrix rate, plus PASSES readings or writings of every activation at the copy rate,
but not less than LAUNCHES kernel starts. Data are random, of CIFAR-10's shape, resident on the device; a model is 24
epochs of 50,000 images at batch 512, and a few seconds of its steps are timed. `fraction`: of the matrix rate.
"""

import argparse
import json
import time
from collections.abc import Callable

import torch

from unlearning import networks, stack, training
from unlearning.experiment import presets

RECIPE, IMAGES, GOAL = presets.PAPER.recipe, 50_000, 0.45
LAUNCH_S = 6e-6  # host time of one kernel start from Python
# form: (models, compiled, CUDA graph, streams, PASSES, LAUNCHES per step, slow-down of arithmetic, why)
FORMS = {
    "eager": (
        1,
        0,
        0,
        1,
        20,
        260,
        1,
        "the host starts kernels more slowly than the device ends them",
    ),
    "compiled": (
        1,
        1,
        0,
        1,
        11,
        100,
        1,
        "normalisation, ReLU and sums fuse: half of the traffic, fewer starts",
    ),
    "graph": (1, 0, 1, 1, 20, 0, 1, "no starts; the traffic of eager"),
    "compiled graph": (1, 1, 1, 1, 11, 0, 1, "no starts and half of the traffic"),
    "two streams": (
        2,
        1,
        1,
        2,
        11,
        0,
        1,
        "one model's traffic hides behind the other one's arithmetic",
    ),
    "stacked": (4, 0, 1, 1, 20, 0, 4, "grouped convolutions are slow in half precision"),
}


def show(figure: str, **values: object) -> None:
    print(json.dumps({"bench": "device", "figure": figure} | values), flush=True)


def seconds(work: Callable[[], object], device: torch.device, limit: float) -> tuple[float, float]:
    """(seconds of the first three calls, best mean seconds of ten later calls) within about `limit` seconds."""
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    start = time.perf_counter()
    [work() for _ in range(3)]
    wait()
    first, best, end = time.perf_counter() - start, float("inf"), time.perf_counter() + limit
    while best == float("inf") or time.perf_counter() < end:
        start = time.perf_counter()
        [work() for _ in range(10)]
        wait()
        best = min(best, (time.perf_counter() - start) / 10)
    return first, best


def rates(device: torch.device, tiny: bool, limit: float) -> tuple[float, float]:
    """(FLOP/s of a matrix product in bfloat16, float32 on a CPU; bytes/s of a copy, read and written)."""
    n, size = (512, 1 << 22) if tiny else (8192, 1 << 28)
    kind = torch.bfloat16 if device.type == "cuda" else torch.float32
    a, b, c = (torch.randn(n, n, device=device, dtype=kind) for _ in range(3))
    x, y = (torch.zeros(size, device=device) for _ in range(2))
    matrix = 2 * n**3 / seconds(lambda: torch.mm(a, b, out=c), device, limit)[1]
    copy = 8 * size / seconds(lambda: y.copy_(x), device, limit)[1]
    show(
        "rates",
        tflops=matrix / 1e12,
        copy_gb_per_s=copy / 1e9,
        matrix=n,
        dtype=str(kind),
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        torch=torch.__version__,
    )
    return matrix, copy


def activations(model: torch.nn.Module) -> int:
    """Numbers in the outputs of all convolutions, for one image."""
    total = []
    hooks = [
        m.register_forward_hook(lambda _m, _i, out: total.append(out[0].numel()))
        for m in model.modules()
        if isinstance(m, torch.nn.Conv2d)
    ]
    with torch.no_grad():
        model.eval()(torch.zeros(1, 3, 32, 32))
    [hook.remove() for hook in hooks]
    return sum(total)


def loss(net: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """images (models, batch, 3, 32, 32) uint8, labels (models, batch) -> scalar."""
    count, batch = labels.shape
    x = ((images.float() - 120) / 60).transpose(0, 1).reshape(batch, -1, 32, 32)
    with torch.autocast(images.device.type, torch.bfloat16, enabled=images.device.type == "cuda"):
        logits = net(x.contiguous(memory_format=torch.channels_last))
    return training.cross_entropy(logits.reshape(count, batch, -1), labels)


def step_of(
    device: torch.device, width: int, batch: int, count: int, compiled: int, graph: int
) -> Callable[[], None]:
    """One optimiser step of `count` models, each on a batch of its own from data on the device."""
    count_images = IMAGES if device.type == "cuda" else 4 * batch
    images = torch.randint(256, (count_images, 3, 32, 32), dtype=torch.uint8, device=device)
    labels = torch.randint(10, images.shape[:1], device=device)
    orders = torch.randint(len(labels), (64, count, batch), device=device)
    at, turn = orders[0].clone(), [0]
    nets = [networks.resnet9(width) for _ in range(count)]
    net = (
        (stack.stack(nets) if count > 1 else nets[0])
        .to(device, memory_format=torch.channels_last)
        .train()
    )
    rate = torch.tensor(
        0.01, device=device
    )  # a tensor, so that a captured step can follow the schedule
    optimiser = torch.optim.SGD(
        net.parameters(),
        lr=rate,
        momentum=RECIPE.momentum,
        weight_decay=RECIPE.weight_decay,
        fused=device.type == "cuda",
    )
    forward = torch.compile(loss) if compiled else loss

    def work() -> None:
        optimiser.zero_grad(set_to_none=True)
        forward(net, images[at], labels[at]).backward()
        optimiser.step()

    replay = captured(work) if graph else work

    def step() -> None:
        turn[0] += 1
        at.copy_(orders[turn[0] % len(orders)])
        replay()

    return step


def captured(work: Callable[[], None]) -> Callable[[], None]:
    """The same work as a CUDA graph: warmed up on a stream of its own, as capture demands."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        [work() for _ in range(3)]
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay


def measure(
    name: str, device: torch.device, tiny: bool, limit: float, matrix: float, copy: float
) -> None:
    count, compiled, graph, streams, passes, launches, slower, why = FORMS[name]
    width, batch = (4, 32) if tiny else (presets.PAPER.width, RECIPE.batch)
    steps, model = RECIPE.epochs * -(-IMAGES // batch), networks.resnet9(width)
    flops = 3 * networks.forward_flops(model, (3, 32, 32)) * batch  # of one model's step
    traffic = passes * activations(model) * batch * (2 if device.type == "cuda" else 4) / copy
    together = max if streams > 1 else lambda a, b: a + b
    predicted = steps * max(together(flops * slower / matrix, traffic), launches * LAUNCH_S / count)
    line = {"predicted_s_per_model": predicted, "why": why, "width": width, "batch": batch}
    if device.type != "cuda" and (name.endswith("graph") or streams > 1):
        return show(name, **line, outcome="not run: needs a GPU")
    try:
        ones = [
            step_of(
                device, width, batch, count // streams, compiled, graph and device.type == "cuda"
            )
            for _ in range(streams)
        ]
        beside = [torch.cuda.Stream(device) for _ in ones] if streams > 1 else [None]

        def step() -> None:
            for stream, one in zip(beside, ones, strict=True):
                with torch.cuda.stream(stream):  # None: the current one
                    one()

        first, each = seconds(step, device, limit)
    except (RuntimeError, OSError) as error:  # a form that does not work here is an outcome, too
        return show(
            name,
            **line,
            outcome=f"failed: {type(error).__name__}: {' '.join(str(error).split())[:300]}",
        )
    model_s, rate = each * steps / count, flops * count / each
    show(
        name,
        **line,
        s_per_model=model_s,
        measured_over_predicted=model_s / predicted,
        tflops=rate / 1e12,
        fraction=rate / matrix,
        goal=GOAL,
        reached=rate / matrix >= GOAL,
        first_steps_s=first,
        outcome="measured",
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument(
        "--tiny", action="store_true", help="width 4, batch 32, small matrices (always on a CPU)"
    )
    parser.add_argument(
        "--limit",
        type=float,
        metavar="SECONDS",
        help="timed seconds per figure (default 20; tiny 1)",
    )
    parser.add_argument(
        "--form",
        nargs="+",
        choices=FORMS,
        metavar="FORM",
        help=f"{', '.join(FORMS)} (default: all; on a CPU not compiled, which takes minutes)",
    )
    given = parser.parse_args()
    device, tiny = torch.device(given.device), given.tiny or given.device == "cpu"
    limit = given.limit or (1.0 if tiny else 20.0)
    torch.backends.cudnn.benchmark = True
    matrix, copy = rates(device, tiny, limit)
    for name in given.form or [f for f in FORMS if f != "compiled" or device.type == "cuda"]:
        measure(name, device, tiny, limit, matrix, copy)


if __name__ == "__main__":
    main()
