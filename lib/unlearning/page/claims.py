"""The paper's claims C1-C14 in our own words: what the book has to decide."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """One claim of the paper that the book decides."""

    id: str  # C1 … C14
    text: str  # the claim in our words
    where: str  # section, figure or lemma of the paper
    chapter: str  # the chapter that decides it: the stem of a file in book/


CLAIMS = (
    Claim(
        "C1",
        "On CIFAR-10 with ResNet-9, ascent methods either stay at the pretrained model or break it.",
        "Section 3, Figs. 1, 3, 6",
        "ascent_fails",
    ),
    Claim(
        "C2",
        "With few random points some run looks like forgetting, but only at one step size and one stopping "
        "time, which nobody can know without the oracles.",
        "Section 3, Fig. 2",
        "illusion",
    ),
    Claim(
        "C3",
        "Difficulty depends on the forget set: leading principal components are the hardest.",
        "Section 3, Fig. 3",
        "ascent_fails",
    ),
    Claim(
        "C4",
        "Scoring damage on the retain set instead of validation gives nearly the same picture.",
        "App. L, Fig. 7",
        "all_forget_sets",
    ),
    Claim("C5", "SCRUB stays close to the pretrained model.", "App. L, Fig. 6", "scrub"),
    Claim(
        "C6",
        "About 100 models are needed: with 20 or 50 the metric is large where it should be low.",
        "App. K",
        "traps",
    ),
    Claim(
        "C7",
        "On a random forget set an oracle is as accurate as on fresh data.",
        "Lemma 1",
        "random_sets",
    ),
    Claim(
        "C8",
        "In one dimension, for α from F²/(R(F+D)) to F/R (the sets' sizes), the pretrained weight lies between the "
        "oracle and the end of descent-ascent, which can be arbitrarily far; training is stable.",
        "Section 4, Lemmas 2-5, Cor. 1",
        "threshold",
    ),
    Claim(
        "C9",
        "With two correlated coordinates there is a range of forget fractions in which descent-ascent is "
        "guaranteed to harm.",
        "Section 4, Lemmas 6-10, 12, Fig. 4",
        "bounds",
    ),
    Claim(
        "C10",
        "In a two-parameter network descent-ascent picks a wrong minimum that fine-tuning cannot leave.",
        "Section 5.2, Fig. 5",
        "toy_minima",
    ),
    Claim(
        "C11",
        "MNIST and FashionMNIST are degenerate for evaluating unlearning.",
        "App. B, Table 1",
        "degenerate",
    ),
    Claim(
        "C12",
        "Alternating descent and ascent steps equal the simultaneous step to leading order, with the ridge "
        "doubled; the next order brakes divergence but does not mend the direction.",
        "App. D.3",
        "alternating",
    ),
    Claim(
        "C13",
        "Practical diagnostics: the oracle-pretrained gap on forget against retain, and the sensitivity to "
        "step size and stopping time. Conjecture: the cross-influence norm predicts the damage.",
        "Apps. A, B",
        "predicting_damage",
    ),
    Claim(
        "C14",
        "The same holds for ResNet-18 on ImageNet Living-17.",
        "Appendix (no numbers given)",
        "living17",
    ),
)
BY_ID = {claim.id: claim for claim in CLAIMS}
