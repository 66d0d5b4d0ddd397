# A tour with the gem pg. PGHOST, PGDATABASE, … or their defaults name the database.
#
#     gem install pg && psql -f ../tour.sql && ruby tour.rb

require 'json'
require 'pg'
require 'securerandom'

SESSION = PG.connect
# Sends numbers and arrays as such: whole numbers as bigint.
SESSION.type_map_for_queries = PG::BasicTypeMapForQueries.new(SESSION)
# Returns numbers, booleans, arrays and JSON as such. Types without a decoder come as text, such as
# ids.
results = PG::BasicTypeMapForResults.new(SESSION)
results.add_coder(PG::TextDecoder::JSON.new(name: 'jsonb', oid: 3802))
results.default_type_map = PG::TypeMapAllStrings.new
SESSION.type_map_for_results = results

# With an id, the append can be repeated.
def event(stream, type, payload, by)
  { stream:, type:, payload:, metadata: { by: }, id: SecureRandom.uuid }
end

# One row: first_position, last_position, versions, recorded_at, repeated. An array in which the first element is nil
# would be sent as text[]: hence the cast.
def append(streams, expected_versions, events)
  sql = 'SELECT (a).* FROM eventcore_append($1, $2::bigint[], $3) a'
  SESSION.exec_params(sql, [streams, expected_versions, JSON.generate(events)]).first
end

# Ships pieces of the stock, however often other sessions change it meanwhile. Returns the request
# that succeeded, and its answer.
def ship(pieces)
  (1..).each do |attempt|
    stock = SESSION.exec_params('SELECT version, payload FROM eventcore_read_stream($1)', ['stock-1']).to_a.last
    # Another session was faster. NULL: at whatever version.
    append(['stock-1'], [nil], [event('stock-1', 'Counted', { pieces: 9 }, 'bob')]) if attempt == 1
    events = [event('order-1', 'Shipped', { pieces: }, 'ann'),
              event('stock-1', 'Counted', { pieces: stock['payload']['pieces'] - pieces }, 'ann')]
    request = [%w[order-1 stock-1], [1, stock['version']], events]
    begin
      return request, append(*request)
    rescue PG::Error => e
      code = e.result&.error_field(PG::PG_DIAG_SQLSTATE)
      raise unless code == 'SE001'

      puts "conflict: #{code}"
    end
  end
end

# Both streams are new: version 0.
placed = append(%w[order-1 stock-1], [0, 0],
                [event('order-1', 'Placed', { pieces: 2 }, 'ann'),
                 event('stock-1', 'Counted', { pieces: 10 }, 'ann')])
puts "placed: versions #{placed['versions'].join(' and ')}"

request, shipped = ship(2)
puts "shipped: versions #{shipped['versions'].join(' and ')}, at the second attempt"

# Was the answer lost? Sending the same request again writes nothing.
again = append(*request)
puts "repeated: #{again['repeated']}, versions #{again['versions'].join(' and ')}"

stock = SESSION.exec_params('SELECT * FROM eventcore_read_stream($1, 0, $2)', ['stock-1', 2])
lines = stock.map { |e| "#{e['version']} #{e['event_type']} #{e['payload']['pieces']} by #{e['metadata']['by']}" }
puts "stock: #{lines.join(', ')}"

all = SESSION.exec_params('SELECT * FROM eventcore_read_all($1, $2)', [0, 100])
puts "all: #{all.map { |e| "#{e['stream_id']} #{e['event_type']}" }.join(', ')}"

# A command runs inside the database, in one round trip.
SESSION.exec_params('SELECT eventcore_register_command($1, $2, $3, streams => $4, snapshot_every => $5)',
                    ['take', 'shop_count', 'shop_take', %w[/stock /order], 50])
take = lambda do |pieces|
  input = JSON.generate(order: 'order-2', stock: 'stock-1', pieces:)
  SESSION.exec_params('SELECT (e).* FROM eventcore_execute($1, $2, idempotency_key => $3) e',
                      ['take', input, 'order-2']).first
end
begin
  take.call(8)
rescue PG::Error => e
  field = ->(name) { e.result.error_field(name) }
  puts "refused: #{field.call(PG::PG_DIAG_SQLSTATE)}, #{field.call(PG::PG_DIAG_MESSAGE_PRIMARY)}"
end
2.times do
  done = take.call(3)
  versions = done['streams'].zip(done['versions']).to_h
  puts "taken: versions #{versions['order-2']} and #{versions['stock-1']}, repeated #{done['repeated']}"
end

SESSION.exec_params(
  'SELECT eventcore_create_subscription($1, stream_prefixes => $2, lease => $3, retry_limit => $4)',
  ['stock', ['stock-'], '30 seconds', 5]
)
deliveries = SESSION.exec_params('SELECT * FROM eventcore_poll($1, $2, $3, $4)', ['stock', 'ann', 10, '1 second']).to_a
puts "polled: #{deliveries.map { |delivery| delivery['version'] }.join(', ')}"
acknowledged = SESSION.exec_params(
  'SELECT eventcore_ack($1, $2, $3)',
  ['stock', deliveries.first['lease_id'], deliveries.map { |delivery| delivery['position'] }]
)
puts "acknowledged: #{acknowledged.getvalue(0, 0)}"

# Until all readers can read everything up to our event.
waited = SESSION.exec_params('CALL eventcore_wait($1, $2)', [shipped['last_position'] - 1, '5 seconds'])
puts "waited: #{waited.getvalue(0, 0) >= shipped['last_position']}"

view = SESSION.exec_params('SELECT * FROM eventcore.stat_subscriptions WHERE name = $1', ['stock']).first
puts "subscription: #{view['lag_events']} behind, #{view['leased']} leased, " \
     "lease of #{view['lease_seconds'].to_i} seconds"
