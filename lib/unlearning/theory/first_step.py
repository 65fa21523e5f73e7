"""The first step of descent-ascent against the oracle's direction, in any dimension (a theorem of this book, T3).

F of |F| points is a fraction f = |F|/|D| of the training set; g_F, g_R are the gradients of the mean losses (without the
ridge) at the trained weights w_D; I_ab = g_aᵀ H⁻¹ g_b with H the Hessian of L_R (ridge included). The objective is
L_DA = (mean loss on R) − ρ (mean loss on F) + ridge; ρ = 1 is the paper's.
"""

import numpy as np
from numpy.typing import ArrayLike


def _checked(fraction: ArrayLike, ascent: float) -> np.ndarray:
    fraction = np.asarray(fraction, dtype=float)
    if not np.all((fraction > 0) & (fraction < 1)):
        raise ValueError(f"fraction = {fraction!r}: give |F|/|D| between 0 and 1, both excluded")
    if not (np.isfinite(ascent) and ascent > 0):
        raise ValueError(f"ascent = {ascent!r}: give a finite ascent weight above 0")
    return fraction


def step(
    forget_gradient: ArrayLike, retain_gradient: ArrayLike, fraction: float, ascent: float = 1.0
) -> np.ndarray:
    """−∇L_DA(w_D) = (ρ + f) g_F − f g_R, for weights trained to the end (Σ over D and ridge balance).

    Gradients (…, p), the same shape; fraction f = |F|/|D|, ascent ρ > 0. Raises ValueError outside these ranges.
    """
    f = float(_checked(fraction, ascent))
    return (ascent + f) * np.asarray(forget_gradient) - f * np.asarray(retain_gradient)


def away(
    forget: ArrayLike, cross: ArrayLike, retain: ArrayLike, fraction: ArrayLike, ascent: float = 1.0
) -> np.ndarray:
    """(ρ + 2f) I_FR − (ρ + f) I_FF − f I_RR: above 0 iff the first step points away from the oracle (T3).

    forget, cross, retain: I_FF ≥ 0, I_FR, I_RR ≥ 0 (…,); fraction f (…,). Times f it is −⟨w_R − w_D, −∇L_DA(w_D)⟩, so
    it is also the rate at which ‖w − w_R‖²/2 grows, over f. Raises ValueError for values that are not finite, for
    I_FF or I_RR below 0, and for f, ρ out of range.
    """
    f = _checked(fraction, ascent)
    forget, cross, retain = (np.asarray(v, dtype=float) for v in (forget, cross, retain))
    if not all(np.all(np.isfinite(v)) for v in (forget, cross, retain)) or np.any(
        np.minimum(forget, retain) < 0
    ):
        raise ValueError("give finite I_FF, I_FR, I_RR with I_FF and I_RR not below 0")
    return (ascent + 2 * f) * cross - (ascent + f) * forget - f * retain


def cosine_threshold(fraction: ArrayLike, ascent: float = 1.0) -> np.ndarray:
    """2 √(f (ρ + f)) / (ρ + 2f): at a cosine of g_F and g_R in H⁻¹ up to this the first step is never wrong.

    fraction f (…,). Grows from 0 to 2 √(1 + ρ) / (2 + ρ) as f goes from 0 to 1. Raises ValueError out of range.
    """
    f = _checked(fraction, ascent)
    return 2 * np.sqrt(f * (ascent + f)) / (ascent + 2 * f)


def wrong_ratios(cosine: float, fraction: float, ascent: float = 1.0) -> tuple[float, float]:
    """The ratios u = √(I_FF / I_RR) between which the first step points away, or (nan, nan) where there are none.

    Roots of (ρ + f) u² − (ρ + 2f) c u + f = 0 with c = I_FR / √(I_FF I_RR) in [−1, 1]; at c = 1 they are f/(ρ + f)
    and 1, which at ρ = 1 is Lemma 3's range in any dimension. Raises ValueError for a cosine outside [−1, 1], and for
    f, ρ out of range.
    """
    f = float(_checked(fraction, ascent))
    if not -1 <= cosine <= 1:
        raise ValueError(f"cosine = {cosine!r}: give a number from -1 to 1")
    middle, product = (ascent + 2 * f) * cosine / 2, f * (ascent + f)
    # middle² − product, written so that it does not cancel at cosine = 1, where it is (ρ/2)²
    spread = (ascent / 2) ** 2 - (ascent + 2 * f) ** 2 / 4 * (1 - cosine) * (1 + cosine)
    if cosine <= 0 or spread < 0:
        return float("nan"), float("nan")
    high = (middle + np.sqrt(spread)) / (ascent + f)
    return product / (ascent + f) ** 2 / high, high
