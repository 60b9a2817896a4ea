/**
 * The ClickHouse JDBC driver, unmodified: java -cp JARS Jdbc.java ADDRESS DATABASE GUIDE. Prints what each step found, a line
 * of `name<TAB>value`; the expected values stand in clients.test.ts. Answers travel in LZ4 blocks, the driver's default.
 * GUIDE is docs/sql.md: every example in it is asked of the database motcua.
 */
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.sql.Types;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

public class Jdbc {
  interface Step {
    Object run() throws Exception;
  }

  static void tell(String name, Step step) {
    String value;
    try {
      value = String.valueOf(step.run());
    } catch (SQLException error) {
      value = error.getClass().getSimpleName() + ": " + error.getMessage();
    } catch (Exception error) {
      value = "unexpected " + error;
    }
    System.out.println(name + "\t" + value.replaceAll("\\s+", " "));
  }

  static Connection connect(String address, String database, String user, String... more) throws SQLException {
    Properties properties = new Properties();
    properties.setProperty("user", user);
    for (int i = 0; i < more.length; i += 2) properties.setProperty(more[i], more[i + 1]);
    return DriverManager.getConnection(address.replace("http://", "jdbc:clickhouse://") + "/" + database, properties);
  }

  static List<String> column(ResultSet rows, String name) throws SQLException {
    List<String> values = new ArrayList<>();
    while (rows.next()) values.add(rows.getString(name));
    return values;
  }

  static String all(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery(sql)) {
      List<String> values = new ArrayList<>();
      while (rows.next())
        for (int i = 1; i <= rows.getMetaData().getColumnCount(); i++) values.add(rows.getString(i));
      return String.join(" ", values);
    }
  }

  /** Rows and the sum of their first column. */
  static String drain(Connection connection, String sql) throws SQLException {
    long rows = 0;
    long sum = 0;
    try (Statement statement = connection.createStatement(); ResultSet result = statement.executeQuery(sql)) {
      while (result.next()) {
        rows++;
        sum += result.getLong(1);
        result.getString(2);
      }
    }
    return rows + " " + sum;
  }

  static final Pattern EXAMPLE = Pattern.compile("^```sql\\n(.*?)\\n```$", Pattern.MULTILINE | Pattern.DOTALL);

  /** Asks every example and reads all of its rows; tells how many there are, and the text of those that fail. */
  static void askExamples(Connection connection, String guide) {
    List<String> failed = new ArrayList<>();
    List<String> examples = EXAMPLE.matcher(guide).results().map((MatchResult match) -> match.group(1)).toList();
    for (String example : examples) {
      try {
        all(connection, example);
      } catch (SQLException error) {
        failed.add(example + " " + error.getMessage());
      }
    }
    tell("examples", examples::size);
    tell("failed examples", () -> failed);
  }

  static void insert(Connection connection, String table) throws SQLException {
    try (PreparedStatement insert = connection.prepareStatement("INSERT INTO " + table + " (a, s, d) VALUES (?, ?, ?)")) {
      for (int i = 0; i < 1000; i++) {
        insert.setLong(1, i);
        insert.setString(2, "it's " + i);
        if (i % 2 == 0) insert.setNull(3, Types.DATE);
        else insert.setDate(3, Date.valueOf("2025-07-01"));
        insert.addBatch();
      }
      insert.executeBatch();
    }
  }

  static Object cancelled(Connection connection, String sql) throws Exception {
    try (Statement statement = connection.createStatement()) {
      Thread cancel = new Thread(() -> {
        try {
          Thread.sleep(700);
          statement.cancel();
        } catch (Exception error) {
          System.err.println("cancel failed: " + error);
        }
      });
      cancel.start();
      try (ResultSet rows = statement.executeQuery(sql)) {
        return "ended by itself";
      } finally {
        cancel.join();
      }
    }
  }

  public static void main(String[] arguments) throws Exception {
    String address = arguments[0];
    String database = arguments[1];
    try (Connection connection = connect(address, database, "default")) {
      tell("create", () -> connection.createStatement().executeUpdate(
        "CREATE TABLE java_rows (a UInt64, s String, d Nullable(Date)) ENGINE = MergeTree ORDER BY a"));
      insert(connection, "java_rows");
      tell("inserted", () -> all(connection, "SELECT count(), sum(a), countIf(d IS NULL) FROM java_rows"));
    }
    try (Connection packed = connect(address, database, "default", "decompress", "true")) {
      insert(packed, "java_rows");
      tell("inserted in blocks", () -> all(packed, "SELECT count(), uniqExact(s) FROM java_rows"));
    }
    try (Connection connection = connect(address, "motcua", "analyst")) {
      askExamples(connection, Files.readString(Path.of(arguments[2])));
    }
    try (Connection connection = connect(address, database, "analyst")) {
      tell("tables", () -> column(connection.getMetaData().getTables(null, database, "java%", null), "TABLE_NAME"));
      tell("columns", () -> column(connection.getMetaData().getColumns(null, database, "java_rows", "%"), "TYPE_NAME"));
      tell("schemas", () -> column(connection.getMetaData().getSchemas(), "TABLE_SCHEM").contains(database));
      tell("prepared", () -> {
        try (PreparedStatement select = connection.prepareStatement("SELECT ?, ? + 1, ?")) {
          select.setString(1, "it's \\ ?");
          select.setInt(2, 41);
          select.setTimestamp(3, Timestamp.valueOf("2025-07-01 01:02:03"));
          try (ResultSet rows = select.executeQuery()) {
            rows.next();
            return rows.getString(1) + " " + rows.getInt(2);
          }
        }
      });
      tell("types", () -> {
        String sql = "SELECT toDate('2025-07-01'), toDateTime64('2025-07-01 01:02:03.456', 3, 'UTC'), toDecimal64(1.25, 2),"
          + " CAST(NULL AS Nullable(Int32)), [1, 2, 3], toLowCardinality('lc')";
        try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery(sql)) {
          rows.next();
          return rows.getDate(1) + " " + rows.getString(2) + " " + rows.getBigDecimal(3) + " " + rows.getObject(4) + " "
            + Arrays.toString((Object[]) rows.getArray(5).getArray()) + " " + rows.getString(6);
        }
      });
      tell("clause", () -> all(connection, "SELECT number FROM numbers(9) SETTINGS limit = 2"));
      tell("refused", () -> connection.createStatement().executeUpdate("DROP TABLE java_rows"));
      tell("error", () -> all(connection, "SELECT nope"));
      tell("broken off", () -> drain(connection, "SELECT throwIf(number = 900000), number FROM numbers(1000000)"));
      tell("cancelled", () -> cancelled(connection,
        "SELECT count() FROM numbers(20000000000) WHERE sipHash64(number) = 1 SETTINGS max_execution_time = 20"));
      tell("million", () -> drain(connection,
        "SELECT number, toString(number), toDateTime64(number, 3, 'UTC') FROM numbers(1000000)"));
    }
  }
}
