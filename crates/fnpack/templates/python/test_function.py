import unittest

from {{module}} import {{class}}


class {{class}}Test(unittest.TestCase):
    def test_answers_with_an_exclamation_mark(self):
        self.assertEqual({{class}}().process("hello", None), "hello!")
