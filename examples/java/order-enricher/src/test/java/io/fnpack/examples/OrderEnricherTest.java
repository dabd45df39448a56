package io.fnpack.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class OrderEnricherTest {

    private final OrderEnricher enricher = new OrderEnricher();

    @Test
    void addsTheTotal() throws Exception {
        assertEquals("4711,\"Coffee, ground\",3,4.25,12.75", enricher.process("4711,\"Coffee, ground\",3,4.25", null));
    }

    @ParameterizedTest
    @CsvSource({"0,9.99,0.00", "1,0.1,0.1", "1000000,1000000,1000000000000"})
    void countsExactly(String quantity, String price, String total) throws Exception {
        String line = "1,Tea," + quantity + "," + price;
        assertEquals(line + "," + total, enricher.process(line, null));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "1,Tea,2", "1,Tea,2,3,4", "1,Tea,2,3\n2,Tea,2,3"})
    void refusesWhatIsNoOrder(String line) {
        assertThrows(IllegalArgumentException.class, () -> enricher.process(line, null));
    }
}
