"""Streams follow from (seed, purpose) alone."""

import hashlib

import numpy as np

from adaptive_sharpness.stats.randomness import stream


def test_a_stream_is_that_of_the_hash_of_its_purpose_and_seed():
    number = int(hashlib.sha256(b"permutation 3").hexdigest()[:16], 16)
    np.testing.assert_array_equal(stream(3, "permutation").random(5), np.random.default_rng(number).random(5))


def test_seeds_and_purposes_have_streams_of_their_own():
    firsts = {stream(seed, purpose).random() for seed in range(3) for purpose in ("bootstrap", "permutation")}
    assert len(firsts) == 6
