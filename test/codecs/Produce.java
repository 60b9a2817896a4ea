import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Sends records through Kafka's Java client, in any of its codecs.
 *
 * <p>Usage: Produce BROKERS TOPIC &lt; records.tsv (codec, partition, key, value in base64 or - for null, 1 for odd headers)
 */
public class Produce {
  private static final List<Header> ODD_HEADERS =
      List.of(header("note", null), header("note", "x"), header("zeta", ""), header("__proto__", "1"), header("alpha", null));

  public static void main(String[] args) throws Exception {
    Map<String, KafkaProducer<byte[], byte[]>> producers = new HashMap<>();
    List<Future<?>> sent = new ArrayList<>();
    try (var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        String[] field = line.split("\t");
        byte[] value = field[3].equals("-") ? null : Base64.getDecoder().decode(field[3]);
        List<Header> headers = field[4].equals("1") ? ODD_HEADERS : List.of();
        var record =
            new ProducerRecord<>(args[1], Integer.valueOf(field[1]), field[2].getBytes(StandardCharsets.UTF_8), value, headers);
        sent.add(producers.computeIfAbsent(field[0], codec -> producerOf(args[0], codec)).send(record));
      }
    }
    for (var producer : producers.values()) producer.close();
    for (Future<?> one : sent) one.get();
  }

  private static KafkaProducer<byte[], byte[]> producerOf(String brokers, String codec) {
    // Long enough for all records of a partition to lie in one batch.
    Map<String, Object> config =
        Map.of("bootstrap.servers", brokers, "acks", "all", "compression.type", codec, "linger.ms", 2000, "batch.size", 500_000);
    return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
  }

  private static Header header(String name, String text) {
    return new RecordHeader(name, text == null ? null : text.getBytes(StandardCharsets.UTF_8));
  }
}
