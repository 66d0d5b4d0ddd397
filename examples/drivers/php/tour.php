<?php
// A tour with PDO. PGHOST, PGDATABASE, … or their defaults name the database.
//
//     apt install php-cli php-pgsql && psql -f ../tour.sql && php tour.php

declare(strict_types=1);

$session = new PDO('pgsql:', options: [
    PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
    PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_ASSOC,
]);

function rows(string $sql, array $arguments): array
{
    global $session;
    $statement = $session->prepare($sql);
    $statement->execute($arguments);
    return $statement->fetchAll();
}

function json(mixed $value): string
{
    return json_encode($value, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);
}

// PDO has no arrays. As text, they are JSON lists in other brackets: {"order-1","stock-1"},
// {1,null}.
function toArray(array $values): string
{
    return '{' . substr(json($values), 1, -1) . '}';
}

function fromArray(string $array): array
{
    return explode(',', trim($array, '{}'));
}

// With an id, the append can be repeated.
function event(string $stream, string $type, array $payload, string $by): array
{
    [['id' => $id]] = rows('SELECT gen_random_uuid() AS id', []);
    return ['stream' => $stream, 'type' => $type, 'payload' => $payload, 'metadata' => ['by' => $by], 'id' => $id];
}

// One row: first_position, last_position, versions, recorded_at, repeated.
function append(array $streams, array $expectedVersions, array $events): array
{
    $sql = 'SELECT (a).* FROM eventcore_append(?, ?, ?) a';
    return rows($sql, [toArray($streams), toArray($expectedVersions), json($events)])[0];
}

// Ships pieces of the stock, however often other sessions change it meanwhile. Returns the request
// that succeeded, and its answer.
function ship(int $pieces): array
{
    for ($attempt = 1; ; $attempt++) {
        $stock = rows('SELECT version, payload FROM eventcore_read_stream(?)', ['stock-1']);
        ['version' => $version, 'payload' => $payload] = end($stock);
        if ($attempt === 1) {
            // Another session was faster. NULL: at whatever version.
            append(['stock-1'], [null], [event('stock-1', 'Counted', ['pieces' => 9], 'bob')]);
        }
        $request = [['order-1', 'stock-1'], [1, $version], [
            event('order-1', 'Shipped', ['pieces' => $pieces], 'ann'),
            event('stock-1', 'Counted', ['pieces' => json_decode($payload)->pieces - $pieces], 'ann'),
        ]];
        try {
            return [$request, append(...$request)];
        } catch (PDOException $error) {
            if ($error->getCode() !== 'SE001') {
                throw $error;
            }
            echo "conflict: {$error->getCode()}\n";
        }
    }
}

function both(array $row): string
{
    return implode(' and ', fromArray($row['versions']));
}

// Both streams are new: version 0.
$placed = append(['order-1', 'stock-1'], [0, 0], [
    event('order-1', 'Placed', ['pieces' => 2], 'ann'),
    event('stock-1', 'Counted', ['pieces' => 10], 'ann'),
]);
echo 'placed: versions ', both($placed), "\n";

[$request, $shipped] = ship(2);
echo 'shipped: versions ', both($shipped), ", at the second attempt\n";

// Was the answer lost? Sending the same request again writes nothing.
$again = append(...$request);
echo 'repeated: ', json($again['repeated']), ', versions ', both($again), "\n";

$stock = rows('SELECT * FROM eventcore_read_stream(?, 0, ?)', ['stock-1', 2]);
echo 'stock: ', implode(', ', array_map(
    fn ($e) => "{$e['version']} {$e['event_type']} " . json_decode($e['payload'])->pieces
        . ' by ' . json_decode($e['metadata'])->by,
    $stock,
)), "\n";

$all = rows('SELECT * FROM eventcore_read_all(?, ?)', [0, 100]);
echo 'all: ', implode(', ', array_map(fn ($e) => "{$e['stream_id']} {$e['event_type']}", $all)), "\n";

// A command runs inside the database, in one round trip.
rows(
    'SELECT eventcore_register_command(?, ?, ?, streams => ?, snapshot_every => ?)',
    ['take', 'shop_count', 'shop_take', toArray(['/stock', '/order']), 50],
);
function take(int $pieces): array
{
    $input = json(['order' => 'order-2', 'stock' => 'stock-1', 'pieces' => $pieces]);
    return rows('SELECT (e).* FROM eventcore_execute(?, ?, idempotency_key => ?) e', ['take', $input, 'order-2'])[0];
}
try {
    take(8);
} catch (PDOException $error) {
    preg_match('/ERROR: +(.*)/', $error->getMessage(), $found);
    echo "refused: {$error->getCode()}, {$found[1]}\n";
}
for ($times = 0; $times < 2; $times++) {
    $done = take(3);
    $versions = array_combine(fromArray($done['streams']), fromArray($done['versions']));
    $repeated = json($done['repeated']);
    echo "taken: versions {$versions['order-2']} and {$versions['stock-1']}, repeated $repeated\n";
}

rows(
    'SELECT eventcore_create_subscription(?, stream_prefixes => ?, lease => ?, retry_limit => ?)',
    ['stock', toArray(['stock-']), '30 seconds', 5],
);
$deliveries = rows('SELECT * FROM eventcore_poll(?, ?, ?, ?)', ['stock', 'ann', 10, '1 second']);
echo 'polled: ', implode(', ', array_column($deliveries, 'version')), "\n";
[['count' => $acknowledged]] = rows(
    'SELECT eventcore_ack(?, ?, ?) AS count',
    ['stock', $deliveries[0]['lease_id'], toArray(array_column($deliveries, 'position'))],
);
echo "acknowledged: $acknowledged\n";

// Until all readers can read everything up to our event.
[$waited] = rows('CALL eventcore_wait(?, ?)', [$shipped['last_position'] - 1, '5 seconds']);
echo 'waited: ', json($waited['safe_position'] >= $shipped['last_position']), "\n";

[$view] = rows('SELECT * FROM eventcore.stat_subscriptions WHERE name = ?', ['stock']);
echo "subscription: {$view['lag_events']} behind, {$view['leased']} leased, lease of {$view['lease_seconds']} seconds\n";
