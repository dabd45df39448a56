package io.fnpack.examples;

import java.io.IOException;
import java.math.BigDecimal;
import java.util.List;
import org.apache.commons.csv.CSVFormat;
import org.apache.commons.csv.CSVParser;
import org.apache.commons.csv.CSVRecord;
import org.apache.pulsar.functions.api.Context;
import org.apache.pulsar.functions.api.Function;

/**
 * Adds the total to an order line: {@code 4711,"Coffee, ground",3,4.25} becomes
 * {@code 4711,"Coffee, ground",3,4.25,12.75}.
 */
public class OrderEnricher implements Function<String, String> {

    private static final int COLUMNS = 4;
    private static final int QUANTITY = 2;
    private static final int PRICE = 3;

    @Override
    public String process(String line, Context context) throws IOException {
        CSVRecord order = parse(line);
        BigDecimal total = new BigDecimal(order.get(PRICE)).multiply(new BigDecimal(order.get(QUANTITY)));
        return CSVFormat.DEFAULT.format(order.get(0), order.get(1), order.get(QUANTITY), order.get(PRICE), total.toPlainString());
    }

    private static CSVRecord parse(String line) throws IOException {
        try (CSVParser parser = CSVParser.parse(line, CSVFormat.DEFAULT)) {
            List<CSVRecord> records = parser.getRecords();
            if (records.size() != 1 || records.get(0).size() != COLUMNS) {
                throw new IllegalArgumentException("not an order of the form number,article,quantity,price: " + line);
            }
            return records.get(0);
        }
    }
}
