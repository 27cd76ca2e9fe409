"""The text of a made-up grammar: what it depends on, and its entropy counted in other ways."""

import math
from collections import Counter
from functools import cache
from itertools import islice, pairwise
from pathlib import Path

import pytest
import torch

from adaptive_sharpness.datasets import sentences
from adaptive_sharpness.datasets.sentences import CONTEXT, GRAMMAR, WORDS

LENGTH = 40_000


@pytest.fixture(scope="module")
def words() -> list[str]:
    return list(islice(sentences.text(seed=7), LENGTH))


@pytest.fixture(scope="module")
def found():
    return sentences.load(Path("nowhere"))


def _sentences(words: list[str]) -> list[tuple[str, ...]]:
    """The whole ones."""
    ends = [place + 1 for place, word in enumerate(words) if word == "."]
    return [tuple(words[start:end]) for start, end in pairwise([0, *ends])]


@cache
def _chance(parts: tuple[str, ...], text: tuple[str, ...]) -> tuple[float, int]:
    """The probability that symbols become this text, and in how many ways they do."""
    if not parts or len(text) < len(parts):  # each symbol becomes a word or more
        return (1.0, 1) if not parts and not text else (0.0, 0)
    first, *rest = parts
    if first not in GRAMMAR:
        return _chance(tuple(rest), text[1:]) if first == text[0] else (0.0, 0)
    found = [(chance, *_chance((*way.split(), *rest), text)) for chance, way in GRAMMAR[first]]
    return sum(chance * each for chance, each, _ in found), sum(ways for _, _, ways in found)


def _conditional(words: list[str], order: int) -> float:
    """Entropy of a word given so many before it, as these words show it, in nats."""
    longer = Counter(zip(*(words[place:] for place in range(order + 1)), strict=False))
    context = Counter()
    for key, count in longer.items():
        context[key[:-1]] += count
    return -sum(count * math.log(count / context[key[:-1]]) for key, count in longer.items()) / longer.total()


def test_probabilities_of_every_symbol_add_up_to_one():
    for ways in GRAMMAR.values():
        assert sum(chance for chance, _ in ways) == pytest.approx(1, abs=1e-12)
        assert min(chance for chance, _ in ways) > 0


def test_a_text_depends_on_its_seed_alone(words):
    torch.manual_seed(1)
    assert list(islice(sentences.text(seed=7), 500)) == words[:500]
    assert list(islice(sentences.text(seed=8), 500)) != words[:500]


def test_a_text_leaves_the_global_random_numbers_as_they_are():
    before = torch.get_rng_state()
    next(sentences.text(seed=0))
    assert torch.equal(torch.get_rng_state(), before)


def test_every_sentence_has_one_derivation(words):
    assert {_chance(("sentence",), each)[1] for each in _sentences(words)[:200]} == {1}


def test_symbols_are_used_as_often_as_expected(words):
    whole = _sentences(words)
    often, expected = Counter(word for each in whole for word in each), sentences.expected_counts()
    for symbol in ("noun", "nouns", "adjective", "rests", "takes", "take"):
        found = sum(often[way] for _, way in GRAMMAR[symbol]) / len(whole)
        assert found == pytest.approx(expected[symbol], rel=0.05)


def test_entropy_is_the_mean_information_of_sentences_over_their_mean_length(words):
    whole = _sentences(words)[:1500]
    told = [-math.log(_chance(("sentence",), each)[0]) for each in whole]
    assert sum(told) / sum(map(len, whole)) == pytest.approx(sentences.entropy(), rel=0.02)


def test_the_more_words_are_seen_the_less_the_next_one_tells_down_to_the_entropy(words):
    orders = [_conditional(words, order) for order in range(3)]
    assert math.log(len(WORDS)) > orders[0] > orders[1] > orders[2] > sentences.entropy() > 0
    assert orders[2] - sentences.entropy() > 0.05  # so that attention to words further away has something to find


def test_a_verb_agrees_with_a_noun_that_is_far_before_it():
    far = "the dog that these cats that sing follow {} .".format
    assert _chance(("sentence",), tuple(far("sleeps").split()))[0] > 0
    assert _chance(("sentence",), tuple(far("sleep").split()))[0] == 0


def test_the_data_set_is_windows_of_two_texts_each_with_the_next_words(found):
    for split, seed, count in ((found.train, 0, 4096), (found.test, 1, 1024)):
        assert split.inputs.shape == split.targets.shape == (count, CONTEXT)
        text = [WORDS.index(word) for word in islice(sentences.text(seed), 3 * CONTEXT + 1)]
        assert split.inputs[:3].flatten().tolist() == text[:-1]
        assert split.targets[:3].flatten().tolist() == text[1:]
        assert split.targets.unique().tolist() == [*range(len(WORDS))]


def test_the_network_sees_the_words_as_they_are(found):
    seen = found.train.apply(lambda inputs: inputs, torch.arange(2))
    assert torch.equal(seen.long(), found.train.inputs[:2].long())


def test_train_and_test_have_no_window_in_common(found):
    train, test = ({tuple(row) for row in split.inputs.tolist()} for split in (found.train, found.test))
    assert not train & test
