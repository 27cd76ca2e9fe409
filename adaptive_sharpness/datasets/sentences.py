"""Sentences of a made-up grammar, as a text whose next word a language model predicts: no file is read.

A sentence is drawn from a probabilistic context-free grammar (Booth & Thompson 1973). A verb agrees with its noun,
which stands far before it where relative clauses come between. The grammar is unambiguous, so that the text's entropy,
which no model's loss undercuts by more than chance, has a closed form.
"""

import math
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from adaptive_sharpness.datasets import Dataset, Rows

CONTEXT = 32  # words an example
TRAIN, TEST = 4096, 1024  # examples

# Of each symbol the ways to write it, each with its probability; a symbol that has none is a word.
GRAMMAR: dict[str, list[tuple[float, str]]] = {
    "sentence": [(0.5, "one does ."), (0.5, "many do .")],
    "one": [(0.4, "a noun"), (0.3, "a adjective noun"), (0.3, "a noun which_one")],
    "many": [(0.4, "all nouns"), (0.3, "all adjective nouns"), (0.3, "all nouns which_many")],
    "which_one": [(0.6, "that does"), (0.4, "that somebody")],
    "which_many": [(0.6, "that do"), (0.4, "that somebody")],
    "somebody": [(0.5, "one takes"), (0.5, "many take")],
    "does": [(0.5, "rests"), (0.25, "takes one"), (0.25, "takes many")],
    "do": [(0.5, "rest"), (0.25, "take one"), (0.25, "take many")],
    "a": [(0.5, "the"), (0.3, "this"), (0.2, "every")],
    "all": [(0.5, "the"), (0.3, "these"), (0.2, "some")],
    "adjective": [(0.4, "old"), (0.3, "small"), (0.2, "quick"), (0.1, "wise")],
    "noun": [(0.3, "dog"), (0.25, "cat"), (0.2, "bird"), (0.15, "child"), (0.1, "farmer")],
    "nouns": [(0.3, "dogs"), (0.25, "cats"), (0.2, "birds"), (0.15, "children"), (0.1, "farmers")],
    "rests": [(0.5, "sleeps"), (0.3, "waits"), (0.2, "sings")],
    "rest": [(0.5, "sleep"), (0.3, "wait"), (0.2, "sing")],
    "takes": [(0.4, "sees"), (0.3, "follows"), (0.2, "likes"), (0.1, "hears")],
    "take": [(0.4, "see"), (0.3, "follow"), (0.2, "like"), (0.1, "hear")],
}
WORDS = sorted({word for ways in GRAMMAR.values() for _, way in ways for word in way.split()} - GRAMMAR.keys())


def load(raw: Path) -> Dataset:
    """Windows of 32 words of a text, and for each word the one after it.

    Args:
        raw: not read.

    Returns:
        4096 training and 1024 test windows of two texts; inputs [n, 32] uint8 and targets [n, 32] int64, positions in
        WORDS.

    Example:
        >>> train = load(Path()).train
        >>> " ".join(WORDS[word] for word in train.inputs[0, :8].tolist())
        'the dogs that wait sleep . these dogs'
        >>> bool((train.inputs[:, 1:] == train.targets[:, :-1]).all())
        True
    """
    return Dataset(_windows(seed=0, count=TRAIN), _windows(seed=1, count=TEST))


def text(seed: int) -> Iterator[str]:
    """Draw sentences without end.

    Args:
        seed: what alone the text depends on.

    Yields:
        A word, or the full stop after a sentence.

    Example:
        >>> words = text(seed=0)
        >>> " ".join(next(words) for _ in range(6))
        'the dogs that wait sleep .'
    """
    draw = random.Random(seed).random  # of Python's random numbers those that no version may change
    while True:
        yield from _written("sentence", draw)


def entropy() -> float:
    """The mean information of a word, given all that stands before it.

    That of a sentence (Grenander 1967) is the sum, over symbols, of how often one is expected and of what its choice
    tells; that of a word is its ratio to the expected number of words.

    Returns:
        Nats a word.

    Example:
        >>> f"{entropy():.2f} of at most {math.log(len(WORDS)):.2f}"
        '1.62 of at most 3.56'
    """
    expected, told, words = expected_counts(), 0.0, 0.0
    for symbol, ways in GRAMMAR.items():
        told -= expected[symbol] * sum(chance * math.log(chance) for chance, _ in ways)
        written = sum(chance * sum(part not in GRAMMAR for part in way.split()) for chance, way in ways)
        words += expected[symbol] * written
    return told / words


def expected_counts() -> dict[str, float]:
    """How often each symbol is expected in a sentence: n = e + M' n, M what a symbol writes in one step, e the start.

    Returns:
        A number by symbol.

    Example:
        >>> expected_counts()["sentence"]
        1.0
    """
    symbols = list(GRAMMAR)
    steps = np.array(
        [[sum(chance * way.split().count(to) for chance, way in GRAMMAR[of]) for to in symbols] for of in symbols]
    )
    start = np.array([symbol == "sentence" for symbol in symbols], dtype=float)
    counts = np.linalg.solve(np.eye(len(symbols)) - steps.T, start)
    return dict(zip(symbols, counts.tolist(), strict=True))


def _written(symbol: str, draw) -> Iterator[str]:
    if symbol not in GRAMMAR:
        yield symbol
        return
    left, (*others, (_, way)) = draw(), GRAMMAR[symbol]
    for chance, other in others:
        if left < chance:
            way = other
            break
        left -= chance
    for part in way.split():
        yield from _written(part, draw)


def _windows(seed: int, count: int) -> Rows:
    position, words = {word: place for place, word in enumerate(WORDS)}, text(seed)
    stream = torch.tensor([position[next(words)] for _ in range(count * CONTEXT + 1)])
    inputs, targets = stream[:-1].view(count, CONTEXT), stream[1:].view(count, CONTEXT)
    return Rows(inputs.to(torch.uint8), targets.clone(), shift=torch.tensor(0.0), scale=torch.tensor(1.0))
