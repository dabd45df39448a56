package com.example;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class {{class}}Test {

    @Test
    void answersWithAnExclamationMark() {
        assertEquals("hello!", new {{class}}().process("hello", null));
    }
}
