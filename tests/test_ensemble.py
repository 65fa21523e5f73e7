"""Training against hand-written SGD, the stack against the loop, seeds against company."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from unlearning import datasets, networks, training
from unlearning.training import Recipe

RECIPE = Recipe(epochs=2, batch=24, peak_lr=0.1, peak_epoch=1.0)
POINTS = np.arange(5, 77)


@pytest.fixture(scope="module")
def digits() -> datasets.Data:
    return datasets.load("digits", train=80, val=40)


def doubled(d: datasets.Data) -> datasets.Data:
    return replace(d, mean=d.mean.double(), std=d.std.double())


def build() -> torch.nn.Module:
    return networks.resnet9(8, 1)


def build_double() -> torch.nn.Module:
    return networks.resnet9(8, 1).double()


def scores(model: torch.nn.Module, d: datasets.Data) -> np.ndarray:
    return training.score(model, d, d.val_images, d.val_labels)[0]


def test_learning_rate_is_the_papers_triangle():
    recipe, per_epoch = Recipe(24, 512), 98
    steps = np.arange(24 * per_epoch)
    ours = [training.learning_rate(int(k), per_epoch, recipe) for k in steps]
    assert np.allclose(ours, 0.4 * np.interp(steps, [0, 5 * per_epoch, 24 * per_epoch], [0, 1, 0]))
    assert ours[0] == 0 and max(ours) == pytest.approx(0.4)


def test_batches_visit_each_point_once_an_epoch_in_another_order():
    steps = list(training.batches(10, Recipe(3, 4), seed=1))
    assert [len(p) for _, p in steps] == [4, 4, 2] * 3
    epochs = [torch.cat([p for _, p in steps[k : k + 3]]).tolist() for k in (0, 3, 6)]
    assert all(sorted(e) == list(range(10)) for e in epochs) and len(set(map(tuple, epochs))) == 3


@pytest.mark.parametrize(
    "points, batch, last",
    [(50_000, 512, 336), (50_000, 256, 80), (1284, 64, 4), (128, 64, 64), (5, 8, 5)],
)
def test_last_batch(points: int, batch: int, last: int):
    assert training.last_batch(points, batch) == last
    assert len(list(training.batches(points, Recipe(1, batch), 0))[-1][1]) == last


def test_train_one_is_sgd_written_out(digits: datasets.Data):
    """Second implementation: momentum, weight decay and schedule by hand, on autograd alone."""
    d = doubled(digits)
    trained = training.train_one(build_double, d, POINTS, RECIPE, seed=3)
    model = training.fresh(build_double, 3)
    velocity = {k: torch.zeros_like(p) for k, p in model.named_parameters()}
    generator, step = torch.Generator().manual_seed(3), 0
    for _ in range(2):
        order = torch.randperm(72, generator=generator)
        for start in range(0, 72, 24):
            now = torch.from_numpy(POINTS)[order[start : start + 24]]
            x = (d.images[now].double() - d.mean.view(1, -1, 1, 1)) / d.std.view(1, -1, 1, 1)
            loss = F.cross_entropy(model(x), d.labels[now])
            rate = 0.1 * np.interp(step, [0, 3, 6], [0, 1, 0])
            gradients = torch.autograd.grad(loss, list(model.parameters()))
            with torch.no_grad():
                for (k, p), g in zip(model.named_parameters(), gradients, strict=True):
                    velocity[k] = 0.9 * velocity[k] + g + 5e-4 * p if step else g + 5e-4 * p
                    p -= rate * velocity[k]
            step += 1
    for (name, a), b in zip(trained.state_dict().items(), model.state_dict().values(), strict=True):
        assert torch.allclose(a.double(), b.double(), atol=1e-10), name


def test_a_stack_is_the_loop_exactly_in_float64(digits: datasets.Data):
    d, seeds = doubled(digits), [training.seed_of(0, "pretrained", i) for i in range(3)]
    loop = np.concatenate(
        [scores(training.train_one(build_double, d, POINTS, RECIPE, s), d) for s in seeds]
    )
    stacked = scores(training.train_stack(build_double, d, POINTS, RECIPE, seeds), d)
    assert stacked.shape == (3, 40) and np.abs(stacked - loop).max() < 1e-10
    assert np.abs(loop[0] - loop[1]).max() > 0.01  # the models do differ


def test_a_stack_is_the_loop_in_float32_up_to_rounding(digits: datasets.Data):
    seeds, recipe = [1, 2], Recipe(1, 40, peak_lr=0.1)
    loop = np.concatenate(
        [scores(training.train_one(build, digits, POINTS, recipe, s), digits) for s in seeds]
    )
    assert (
        np.abs(
            scores(training.train_stack(build, digits, POINTS, recipe, seeds), digits) - loop
        ).max()
        < 1e-4
    )


def test_a_model_does_not_depend_on_its_company_or_the_global_generator(digits: datasets.Data):
    d = doubled(digits)
    alone = scores(training.train_one(build_double, d, POINTS, RECIPE, 7), d)[0]
    torch.manual_seed(123)
    before = torch.random.get_rng_state()
    in_company = scores(training.train_stack(build_double, d, POINTS, RECIPE, [1, 7]), d)[1]
    assert np.abs(alone - in_company).max() < 1e-10
    assert torch.equal(before, torch.random.get_rng_state())


def test_seeds_differ_by_base_role_and_index_and_are_fixed():
    seeds = {
        training.seed_of(b, r, i)
        for b in (0, 1)
        for r in ("pretrained", "a/oracle")
        for i in range(100)
    }
    assert len(seeds) == 400 and all(0 <= s < 2**63 for s in seeds)
    assert (
        training.seed_of(0, "pretrained", 5) == 2631940415654050016
    )  # everywhere: records rely on it


def test_score_is_the_margin_of_evaluation_mode_logits(digits: datasets.Data):
    model = training.train_one(build, digits, POINTS, RECIPE, 0)
    margins, hits = training.score(model, digits, digits.val_images, digits.val_labels, batch=7)
    assert model.training and margins.dtype == np.float32
    with torch.no_grad():
        z = model.eval()(digits.normalised(digits.val_images)).double().numpy()
    y = digits.val_labels.numpy()
    for i in range(40):
        others = np.delete(z[i], y[i])
        assert margins[0, i] == pytest.approx(z[i, y[i]] - np.log(np.exp(others).sum()), abs=1e-5)
        assert hits[0, i] == (z[i].argmax() == y[i])


def test_cross_entropy_sums_over_models():
    z, y = torch.randn(3, 8, 10), torch.randint(10, (8,))
    assert training.cross_entropy(z[0], y) == pytest.approx(
        float(F.cross_entropy(z[0], y)), rel=1e-6
    )
    expected = sum(float(F.cross_entropy(part, y)) for part in z)
    assert float(training.cross_entropy(z, y)) == pytest.approx(expected, rel=1e-6)


def test_a_diverging_training_is_refused_in_one_line(digits: datasets.Data):
    wild = replace(RECIPE, peak_lr=1e30)
    for train in (
        lambda: training.train_one(build, digits, POINTS, wild, 0),
        lambda: training.train_stack(build, digits, POINTS, wild, [0, 1]),
    ):
        with pytest.raises(training.Diverged, match="not finite; lower the recipe's peak_lr"):
            train()


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_the_gpus_form_learns_what_the_cpus_does():
    recipe = Recipe(8, 64, peak_epoch=2.0)
    right = []
    for device in ("cpu", "cuda"):
        d = datasets.load("digits").to(device)
        model = training.train_one(build, d, np.arange(1280), recipe, 0)
        right.append(training.score(model, d, d.val_images, d.val_labels)[1].mean())
    assert min(right) > 0.95 and abs(right[0] - right[1]) < 0.03


def test_bfloat16_is_the_same_training_up_to_rounding():
    """One short training in bfloat16 against float32: weights stay float32, losses and margins are close, not equal."""
    d = datasets.load("digits", train=128, val=64)
    trained = {
        p: training.train_one(
            lambda: networks.resnet9(4, 1),
            d,
            np.arange(128),
            Recipe(2, 32, 0.05, 1.0, precision=p),
            3,
        )
        for p in ("float32", "bfloat16")
    }
    phi = {p: training.score(m, d, d.val_images, d.val_labels)[0][0] for p, m in trained.items()}
    assert {w.dtype for w in trained["bfloat16"].parameters()} == {torch.float32}
    assert 0 < np.abs(phi["float32"] - phi["bfloat16"]).max() < 0.3 * phi["float32"].std()


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="float32 or bfloat16"):
        Recipe(1, 4, precision="float16")
