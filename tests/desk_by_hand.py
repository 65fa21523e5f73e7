"""Records of the preset desk made by hand, for the tests of what is concluded from them."""

from unlearning.methods import Config

NOTHING, GA = Config("nothing"), Config("ga", 0.01, (1, 2))


def group(mean: float, p95: float, accuracy: float, oracle: float, error: float = 0.01) -> dict:
    """One group of a desk record; KLoM's summaries are told apart from oq5 by their size."""
    told = {"p95": 7.0, "low": 6.0, "high": 8.0, "mean": 3.0, "robust_p95": 7.0, "floor": 5.0, "ceiling": 10.0,
            "collapsed": 0.0, "models": 20, "oracles": 20, "points": 9}  # fmt: skip
    return {
        "oracle_to_unlearned": told, "unlearned_to_oracle": told, "oq5_mean": mean, "oq5_p95": p95,
        "reverse_oq5_mean": mean, "reverse_oq5_p95": p95, "oq5_mean_error": error, "oq5_p95_error": error,
        "accuracy": accuracy, "oracle_accuracy": oracle, "accuracy_error": 0.003, "oracle_accuracy_error": 0.004,
    }  # fmt: skip


def record(config: Config, epoch: int, forget: dict, retain: dict, val: dict) -> dict:
    told = config.parameters()
    return {
        "dataset": "cifar10", "preset": "desk", "forget_set": "published-5", "method": told.pop("method"),
        "configuration": told, "epoch": epoch, "models": 20, "forget_size": 100, "seconds": 1.0,
        "seconds_retrain": 100.0, "cost": {"paper": 0.01, "true": 0.02},
        "groups": {"forget": forget, "retain": retain, "near": retain, "val": val},
    }  # fmt: skip
