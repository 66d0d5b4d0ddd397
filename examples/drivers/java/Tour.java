// A tour with JDBC. A URL names the database, such as jdbc:postgresql://localhost/shop?user=ann.
//
//     psql -f ../tour.sql && java -cp postgresql.jar Tour.java 'jdbc:postgresql://localhost/shop?user=ann'
//
// JDBC sends each parameter with a type: varchar for a String, integer and bigint for numbers. These go as they are. A
// String that is meant to be jsonb or interval takes a cast in the statement.

import java.sql.Array;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.postgresql.util.PSQLException;

public class Tour {
    // With an id, the append can be repeated.
    record Event(String stream, String type, int pieces, String by, UUID id) {
        Event(String stream, String type, int pieces, String by) {
            this(stream, type, pieces, by, UUID.randomUUID());
        }

        // A JSON library would do this in its own way.
        String json() {
            return """
                {"stream": "%s", "type": "%s", "payload": {"pieces": %d}, "metadata": {"by": "%s"}, "id": "%s"}"""
                .formatted(stream, type, pieces, by, id);
        }
    }

    record Request(List<String> streams, List<Long> expectedVersions, List<Event> events) {}

    record Appended(long lastPosition, Long[] versions, boolean repeated) {}

    private final Connection session;

    Tour(Connection session) {
        this.session = session;
    }

    private PreparedStatement prepare(String sql, Object... arguments) throws SQLException {
        PreparedStatement statement = session.prepareStatement(sql);
        for (int n = 0; n < arguments.length; n++) {
            statement.setObject(n + 1, arguments[n]);
        }
        return statement;
    }

    private Array texts(List<String> values) throws SQLException {
        return session.createArrayOf("text", values.toArray());
    }

    private Array bigints(List<Long> values) throws SQLException {
        return session.createArrayOf("bigint", values.toArray());
    }

    private Appended append(Request request) throws SQLException {
        String events = "[" + String.join(",", request.events().stream().map(Event::json).toList()) + "]";
        try (PreparedStatement statement = prepare("SELECT (a).* FROM eventcore_append(?, ?, ?::jsonb) a",
                texts(request.streams()), bigints(request.expectedVersions()), events);
                ResultSet row = statement.executeQuery()) {
            row.next();
            Long[] versions = (Long[]) row.getArray("versions").getArray();
            return new Appended(row.getLong("last_position"), versions, row.getBoolean("repeated"));
        }
    }

    // The last answer, which the tour waits for.
    private Appended shipped;

    // Ships pieces of the stock, however often other sessions change it meanwhile. Returns the
    // request that succeeded.
    private Request ship(int pieces) throws SQLException {
        for (int attempt = 1;; attempt++) {
            long version = 0;
            int inStock = 0;
            try (PreparedStatement statement = prepare(
                    "SELECT version, (payload->'pieces')::integer AS pieces FROM eventcore_read_stream(?)", "stock-1");
                    ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    version = row.getLong("version");
                    inStock = row.getInt("pieces");
                }
            }
            if (attempt == 1) {
                // Another session was faster. NULL: at whatever version.
                List<Long> any = new ArrayList<>();
                any.add(null);
                append(new Request(List.of("stock-1"), any, List.of(new Event("stock-1", "Counted", 9, "bob"))));
            }
            Request request = new Request(List.of("order-1", "stock-1"), List.of(1L, version),
                List.of(new Event("order-1", "Shipped", pieces, "ann"),
                    new Event("stock-1", "Counted", inStock - pieces, "ann")));
            try {
                shipped = append(request);
                return request;
            } catch (SQLException error) {
                if (!error.getSQLState().equals("SE001")) {
                    throw error;
                }
                System.out.println("conflict: " + error.getSQLState());
            }
        }
    }

    // A command runs inside the database, in one round trip.
    private void take(int pieces) throws SQLException {
        String input = "{\"order\": \"order-2\", \"stock\": \"stock-1\", \"pieces\": %d}".formatted(pieces);
        try (PreparedStatement statement = prepare(
                "SELECT (e).* FROM eventcore_execute(?, ?::jsonb, idempotency_key => ?) e", "take", input, "order-2");
                ResultSet row = statement.executeQuery()) {
            row.next();
            List<String> streams = List.of((String[]) row.getArray("streams").getArray());
            Long[] versions = (Long[]) row.getArray("versions").getArray();
            System.out.printf("taken: versions %d and %d, repeated %s%n", versions[streams.indexOf("order-2")],
                versions[streams.indexOf("stock-1")], row.getBoolean("repeated"));
        }
    }

    void run() throws SQLException {
        // Both streams are new: version 0.
        Appended placed = append(new Request(List.of("order-1", "stock-1"), List.of(0L, 0L),
            List.of(new Event("order-1", "Placed", 2, "ann"), new Event("stock-1", "Counted", 10, "ann"))));
        System.out.printf("placed: versions %d and %d%n", (Object[]) placed.versions());

        Request request = ship(2);
        System.out.printf("shipped: versions %d and %d, at the second attempt%n", (Object[]) shipped.versions());

        // Was the answer lost? Sending the same request again writes nothing.
        Appended again = append(request);
        System.out.printf("repeated: %s, versions %d and %d%n", again.repeated(), again.versions()[0],
            again.versions()[1]);

        List<String> lines = new ArrayList<>();
        try (PreparedStatement statement = prepare(
                "SELECT *, payload->>'pieces' AS pieces, metadata->>'by' AS by FROM eventcore_read_stream(?, 0, ?)",
                "stock-1", 2);
                ResultSet row = statement.executeQuery()) {
            while (row.next()) {
                lines.add("%d %s %s by %s".formatted(row.getLong("version"), row.getString("event_type"),
                    row.getString("pieces"), row.getString("by")));
            }
        }
        System.out.println("stock: " + String.join(", ", lines));

        lines.clear();
        try (PreparedStatement statement = prepare("SELECT * FROM eventcore_read_all(?, ?)", 0L, 100L);
                ResultSet row = statement.executeQuery()) {
            while (row.next()) {
                lines.add(row.getString("stream_id") + " " + row.getString("event_type"));
            }
        }
        System.out.println("all: " + String.join(", ", lines));

        prepare("SELECT eventcore_register_command(?, ?, ?, streams => ?, snapshot_every => ?)",
            "take", "shop_count", "shop_take", texts(List.of("/stock", "/order")), 50).execute();
        try {
            take(8);
        } catch (PSQLException error) {
            System.out.printf("refused: %s, %s%n", error.getSQLState(), error.getServerErrorMessage().getMessage());
        }
        take(3);
        take(3);

        prepare("SELECT eventcore_create_subscription(?, stream_prefixes => ?, lease => ?::interval, retry_limit => ?)",
            "stock", texts(List.of("stock-")), "30 seconds", 5).execute();
        UUID lease = null;
        List<Long> positions = new ArrayList<>();
        lines.clear();
        try (PreparedStatement statement = prepare("SELECT * FROM eventcore_poll(?, ?, ?, ?::interval)",
                "stock", "ann", 10, "1 second");
                ResultSet row = statement.executeQuery()) {
            while (row.next()) {
                lease = row.getObject("lease_id", UUID.class);
                positions.add(row.getLong("position"));
                lines.add(row.getString("version"));
            }
        }
        System.out.println("polled: " + String.join(", ", lines));
        try (PreparedStatement statement = prepare("SELECT eventcore_ack(?, ?, ?)", "stock", lease, bigints(positions));
                ResultSet row = statement.executeQuery()) {
            row.next();
            System.out.println("acknowledged: " + row.getLong(1));
        }

        // Waits until all readers can read everything up to our event. In autocommit, JDBC's
        // default: eventcore_wait ends the transaction that it runs in. Not {call …}, which JDBC
        // turns into a SELECT.
        try (PreparedStatement statement = prepare("CALL eventcore_wait(?, ?::interval)",
                shipped.lastPosition() - 1, "5 seconds");
                ResultSet row = statement.executeQuery()) {
            row.next();
            System.out.println("waited: " + (row.getLong("safe_position") >= shipped.lastPosition()));
        }

        try (PreparedStatement statement = prepare("SELECT * FROM eventcore.stat_subscriptions WHERE name = ?", "stock");
                ResultSet row = statement.executeQuery()) {
            row.next();
            System.out.printf("subscription: %d behind, %d leased, lease of %.0f seconds%n", row.getLong("lag_events"),
                row.getLong("leased"), row.getDouble("lease_seconds"));
        }
    }

    public static void main(String[] arguments) throws SQLException {
        try (Connection session = DriverManager.getConnection(arguments[0])) {
            new Tour(session).run();
        }
    }
}
