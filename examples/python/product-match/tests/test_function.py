"""Runs without Pulsar's client: `python -m unittest` in the folder of the example."""

import sys
import types
import unittest
from unittest import mock

try:
    import pulsar
except ModuleNotFoundError:
    pulsar = sys.modules["pulsar"] = types.ModuleType("pulsar")
    pulsar.Function = object

from product_match.function import ProductMatch


class ProductMatchTest(unittest.TestCase):
    def test_typed_names_find_their_product(self):
        function = ProductMatch()
        for typed, product in [
            ("expresso machine", "espresso machine"),
            ("Kettle, electric", "electric kettle"),
            ("tostaer", "toaster"),
            ("xyz 42", None),
        ]:
            with self.subTest(typed):
                self.assertEqual(function.process(typed, mock.Mock()), product)


if __name__ == "__main__":
    unittest.main()
