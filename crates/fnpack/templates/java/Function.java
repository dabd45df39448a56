package com.example;

import org.apache.pulsar.functions.api.Context;
import org.apache.pulsar.functions.api.Function;

/** Answers each message with an exclamation mark after it. */
public class {{class}} implements Function<String, String> {

    @Override
    public String process(String input, Context context) {
        return input + "!";
    }
}
