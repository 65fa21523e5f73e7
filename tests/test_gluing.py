"""Numbers for the prose keep their kind and carry the chapter's name."""

import numpy as np

from unlearning.page.gluing import glue_numbers


def test_values_are_glued_under_the_chapters_name(shown):
    outputs = shown(glue_numbers, "traps", count=3, share=np.float32(0.5), word="yes")
    made = {o.metadata["scrapbook"]["name"]: o.data for o in outputs}
    assert set(made) == {"traps_count", "traps_share", "traps_word"}
    texts = [next(v for k, v in data.items() if k.endswith("text/plain")) for data in made.values()]
    assert texts == ["3", "0.5", "'yes'"]
