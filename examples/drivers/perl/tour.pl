# A tour with DBI and DBD::Pg. PGHOST, PGDATABASE, … or their defaults name the database.
#
#     cpan DBD::Pg && psql -f ../tour.sql && perl tour.pl

use v5.36;
use DBI;
use JSON::PP qw(encode_json decode_json);

# In autocommit, the default: each statement is a transaction, and eventcore_wait ends the one that
# it runs in.
my $session = DBI->connect('dbi:Pg:', undef, undef, { RaiseError => 1, PrintError => 0, AutoCommit => 1 });

# With an id, the append can be repeated.
sub event ($stream, $type, $payload, $by) {
    my ($id) = $session->selectrow_array('SELECT gen_random_uuid()');
    return { stream => $stream, type => $type, payload => $payload, metadata => { by => $by }, id => $id };
}

# One row: first_position, last_position, versions, recorded_at, repeated.
sub append ($streams, $expected_versions, $events) {
    my $sql = 'SELECT (a).* FROM eventcore_append(?, ?, ?) a';
    return $session->selectrow_hashref($sql, undef, $streams, $expected_versions, encode_json($events));
}

sub rows ($sql, @arguments) {
    return @{ $session->selectall_arrayref($sql, { Slice => {} }, @arguments) };
}

# Ships pieces of the stock, however often other sessions change it meanwhile. Returns the request
# that succeeded, and its answer.
sub ship ($pieces) {
    for my $attempt (1 .. 9) {
        my $stock = (rows('SELECT version, payload FROM eventcore_read_stream(?)', 'stock-1'))[-1];
        # Another session was faster. NULL: at whatever version.
        append(['stock-1'], [undef], [event('stock-1', 'Counted', { pieces => 9 }, 'bob')]) if $attempt == 1;
        my $left   = decode_json($stock->{payload})->{pieces} - $pieces;
        my @events = (
            event('order-1', 'Shipped', { pieces => $pieces }, 'ann'),
            event('stock-1', 'Counted', { pieces => $left }, 'ann'),
        );
        my @request = (['order-1', 'stock-1'], [1, $stock->{version}], \@events);
        my $shipped = eval { append(@request) };
        return \@request, $shipped if $shipped;
        die $@ if $session->state ne 'SE001';
        say 'conflict: ', $session->state;
    }
}

sub both ($versions) { return join ' and ', @$versions }
sub truth ($value)   { return $value ? 'true' : 'false' }

# Both streams are new: version 0.
my $placed = append(
    ['order-1', 'stock-1'],
    [0, 0],
    [event('order-1', 'Placed', { pieces => 2 }, 'ann'), event('stock-1', 'Counted', { pieces => 10 }, 'ann')],
);
say 'placed: versions ', both($placed->{versions});

my ($request, $shipped) = ship(2);
say 'shipped: versions ', both($shipped->{versions}), ', at the second attempt';

# Was the answer lost? Sending the same request again writes nothing.
my $again = append(@$request);
say 'repeated: ', truth($again->{repeated}), ', versions ', both($again->{versions});

my @stock = rows('SELECT * FROM eventcore_read_stream(?, 0, ?)', 'stock-1', 2);
say 'stock: ', join ', ', map {
    "$_->{version} $_->{event_type} " . decode_json($_->{payload})->{pieces} . ' by ' . decode_json($_->{metadata})->{by}
} @stock;

my @all = rows('SELECT * FROM eventcore_read_all(?, ?)', 0, 100);
say 'all: ', join ', ', map { "$_->{stream_id} $_->{event_type}" } @all;

# A command runs inside the database, in one round trip.
$session->do('SELECT eventcore_register_command(?, ?, ?, streams => ?, snapshot_every => ?)',
    undef, 'take', 'shop_count', 'shop_take', ['/stock', '/order'], 50);

sub take ($pieces) {
    my $input = encode_json({ order => 'order-2', stock => 'stock-1', pieces => $pieces });
    my $sql   = 'SELECT (e).* FROM eventcore_execute(?, ?, idempotency_key => ?) e';
    return $session->selectrow_hashref($sql, undef, 'take', $input, 'order-2');
}
eval { take(8) } or say 'refused: ', $session->state, ', ', $session->pg_error_field('message_primary');
for (1 .. 2) {
    my $done = take(3);
    my %versions;
    @versions{ @{ $done->{streams} } } = @{ $done->{versions} };
    say "taken: versions $versions{'order-2'} and $versions{'stock-1'}, repeated ", truth($done->{repeated});
}

$session->do('SELECT eventcore_create_subscription(?, stream_prefixes => ?, lease => ?, retry_limit => ?)',
    undef, 'stock', ['stock-'], '30 seconds', 5);
my @deliveries = rows('SELECT * FROM eventcore_poll(?, ?, ?, ?)', 'stock', 'ann', 10, '1 second');
say 'polled: ', join ', ', map { $_->{version} } @deliveries;
my ($acknowledged) = $session->selectrow_array('SELECT eventcore_ack(?, ?, ?)',
    undef, 'stock', $deliveries[0]{lease_id}, [map { $_->{position} } @deliveries]);
say 'acknowledged: ', $acknowledged;

# Until all readers can read everything up to our event.
my ($safe) = $session->selectrow_array('CALL eventcore_wait(?, ?)', undef, $shipped->{last_position} - 1, '5 seconds');
say 'waited: ', truth($safe >= $shipped->{last_position});

my ($view) = rows('SELECT * FROM eventcore.stat_subscriptions WHERE name = ?', 'stock');
say "subscription: $view->{lag_events} behind, $view->{leased} leased, lease of $view->{lease_seconds} seconds";
$session->disconnect;
