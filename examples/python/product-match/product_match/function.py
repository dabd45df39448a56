"""A Pulsar function: a product's name as somebody typed it in, the catalogue's name for it out."""

from importlib.resources import files

from pulsar import Function
from rapidfuzz import fuzz, process

# What is less alike is a product that we do not have.
LEAST_LIKENESS = 60


class ProductMatch(Function):
    def __init__(self):
        text = files(__package__).joinpath("catalogue.txt").read_text(encoding="utf-8")
        self.catalogue = text.splitlines()

    def process(self, input, context):
        found = process.extractOne(input.lower(), self.catalogue, scorer=fuzz.WRatio, score_cutoff=LEAST_LIKENESS)
        if found is None:
            context.get_logger().warning("no product is like %r", input)
            return None
        return found[0]
