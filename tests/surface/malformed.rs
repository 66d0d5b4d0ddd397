//! What the functions refuse as malformed, SE003: one table per kind of argument.

/// A call, and the place that its error must name: `argument`, `argument[index]` or
/// `argument[index].field`.
pub(crate) type Case = (&'static str, &'static str);

/// What every argument named `streams` refuses; `?` stands for it.
pub(crate) const STREAMS: [Case; 15] = [
    ("NULL", "streams"),
    ("'{}'", "streams"),
    ("'{{b},{c}}'", "streams"),
    ("'{b,NULL}'", "streams[1]"),
    ("'{\"\"}'", "streams[0]"),
    ("'{b,\"\"}'", "streams[1]"),
    ("ARRAY[repeat('a', 256)]", "streams[0]"),
    ("ARRAY['b', repeat('ü', 128)]", "streams[1]"),
    ("ARRAY[repeat('a', 1000000)]", "streams[0]"),
    ("ARRAY[E'a\\nb']", "streams[0]"),
    ("ARRAY['b', E'\\x01']", "streams[1]"),
    ("ARRAY[E'a\\x7f']", "streams[0]"),
    ("'{b,c,b}'", "streams[2]"),
    ("'{b,b}'", "streams[1]"),
    (
        "(SELECT array_agg('s' || n) FROM generate_series(1, 1001) n)",
        "streams",
    ),
];

/// What `expected_versions` refuses, for two streams.
pub(crate) const EXPECTED_VERSIONS: [Case; 7] = [
    ("NULL", "expected_versions"),
    ("'{}'", "expected_versions"),
    ("'{0}'", "expected_versions"),
    ("'{0,0,0}'", "expected_versions"),
    ("'{{0},{0}}'", "expected_versions"),
    ("'{0,-2}'", "expected_versions[1]"),
    ("'{-9223372036854775808,0}'", "expected_versions[0]"),
];

/// What `events` refuses.
pub(crate) const EVENTS: [Case; 45] = [
    ("NULL", "events"),
    ("null", "events"),
    ("{}", "events"),
    (r#"{"stream":"a","type":"A","payload":1}"#, "events"),
    (r#""text""#, "events"),
    ("17", "events"),
    ("true", "events"),
    ("[1]", "events[0]"),
    ("[null]", "events[0]"),
    ("[[]]", "events[0]"),
    (r#"["a"]"#, "events[0]"),
    (r#"[[{"stream":"a","type":"A","payload":1}]]"#, "events[0]"),
    (r#"[{"stream":"a","type":"A","payload":1},7]"#, "events[1]"),
    ("[{}]", "events[0].stream"),
    (r#"[{"type":"A","payload":1}]"#, "events[0].stream"),
    (
        r#"[{"Stream":"a","type":"A","payload":1}]"#,
        "events[0].stream",
    ),
    (
        r#"[{"stream":null,"type":"A","payload":1}]"#,
        "events[0].stream",
    ),
    (
        r#"[{"stream":1,"type":"A","payload":1}]"#,
        "events[0].stream",
    ),
    (
        r#"[{"stream":{},"type":"A","payload":1}]"#,
        "events[0].stream",
    ),
    (
        r#"[{"stream":["a"],"type":"A","payload":1}]"#,
        "events[0].stream",
    ),
    (r#"[{"stream":"a","payload":1}]"#, "events[0].type"),
    (
        r#"[{"stream":"a","type":null,"payload":1}]"#,
        "events[0].type",
    ),
    (
        r#"[{"stream":"a","type":true,"payload":1}]"#,
        "events[0].type",
    ),
    (
        r#"[{"stream":"a","type":["A"],"payload":1}]"#,
        "events[0].type",
    ),
    (
        r#"[{"stream":"a","type":"","payload":1}]"#,
        "events[0].type",
    ),
    (
        r#"[{"stream":"a","type":"a\nb","payload":1}]"#,
        "events[0].type",
    ),
    (
        r#"[{"stream":"a","type":"\u001f","payload":1}]"#,
        "events[0].type",
    ),
    (
        r#"[{"stream":"a","type":"\u007f","payload":1}]"#,
        "events[0].type",
    ),
    (r#"[{"stream":"a","type":"A"}]"#, "events[0].payload"),
    (
        r#"[{"stream":"a","type":"A","payload":null}]"#,
        "events[0].payload",
    ),
    (
        r#"[{"stream":"a","type":"A","payload":1,"metadata":1}]"#,
        "events[0].metadata",
    ),
    (
        r#"[{"stream":"a","type":"A","payload":1,"metadata":"x"}]"#,
        "events[0].metadata",
    ),
    (
        r#"[{"stream":"a","type":"A","payload":1,"metadata":[]}]"#,
        "events[0].metadata",
    ),
    (
        r#"[{"stream":"a","type":"A","payload":1,"metadata":[{}]}]"#,
        "events[0].metadata",
    ),
    (
        r#"[{"stream":"a","type":"A","payload":1,"metadata":false}]"#,
        "events[0].metadata",
    ),
    (
        r#"[{"stream":"a","type":"A","payload":1,"id":1}]"#,
        "events[0].id",
    ),
    (
        r#"[{"stream":"a","type":"A","payload":1,"id":{}}]"#,
        "events[0].id",
    ),
    (
        r#"[{"stream":"a","type":"A","payload":1,"id":""}]"#,
        "events[0].id",
    ),
    (
        r#"[{"stream":"a","type":"A","payload":1,"id":"0190b0f0"}]"#,
        "events[0].id",
    ),
    (
        r#"[{"stream":"a","type":"A","payload":1,"id":"0190b0f0-0000-7000-8000-00000000000g"}]"#,
        "events[0].id",
    ),
    (
        r#"[{"stream":"a","type":"A","payload":1,"Metadata":{}}]"#,
        "events[0].Metadata",
    ),
    (
        r#"[{"stream":"a","type":"A","payload":1,"":{}}]"#,
        "events[0].",
    ),
    (
        r#"[{"stream":"a","type":"A","payload":1,"version":1}]"#,
        "events[0].version",
    ),
    (
        r#"[{"stream":"a","type":"A","payload":1},{"stream":"a","type":"A","payload":1,"ü\"":0}]"#,
        "events[1].ü\"",
    ),
    (
        r#"[{"stream":"a","type":"A","payload":1,"metadata":{},"id":null,"extra":null}]"#,
        "events[0].extra",
    ),
];

/// SQL of texts that cannot be a jsonb.
pub(crate) const NO_JSON: [&str; 15] = [
    "''",
    "' '",
    "'{'",
    "'{}}'",
    "'1 2'",
    "'nothing'",
    "'NULL'",
    r#"'{"a": 1,}'"#,
    r#"'{a: 1}'"#,
    r#"'"\u0000"'"#,
    r#"'"\ud800"'"#,
    r#"E'"\n"'"#,
    "'1e1000000'",
    "repeat('x', 1000000)",
    "'{\"' || repeat('x', 1000000) || '\"}'",
];

/// What the columns of the forms with arrays refuse; two events otherwise.
pub(crate) const COLUMNS: [Case; 29] = [
    ("NULL, '{A,A}', '{1,2}', NULL", "event_streams"),
    ("'{a,a}', NULL, '{1,2}', NULL", "event_types"),
    ("'{a,a}', '{A,A}', NULL, NULL", "payloads"),
    ("'{{a,a}}', '{A,A}', '{1,2}', NULL", "event_streams"),
    ("'{a,a}', '{{A},{A}}', '{1,2}', NULL", "event_types"),
    ("'{a,a}', '{A,A}', '{{1,2}}', NULL", "payloads"),
    ("'{a,a}', '{A,A}', '{1,2}', '{{NULL,NULL}}'", "metadata"),
    (
        "'{a,a}', '{A,A}', '{1,2}', NULL,
         '{{00000000-0000-0000-0000-000000000001,00000000-0000-0000-0000-000000000002}}'",
        "event_ids",
    ),
    ("'{a,a}', '{A}', '{1,2}', NULL", "event_types"),
    ("'{a,a}', '{A,A,A}', '{1,2}', NULL", "event_types"),
    ("'{a,a}', '{A,A}', '{1}', NULL", "payloads"),
    ("'{a,a}', '{A,A}', '{1,2,3}', NULL", "payloads"),
    ("'{}', '{A}', '{}', NULL", "event_types"),
    ("'{}', '{}', '{1}', NULL", "payloads"),
    ("'{a,a}', '{A,A}', '{1,2}', '{NULL}'", "metadata"),
    ("'{a,a}', '{A,A}', '{1,2}', '{}'", "metadata"),
    ("'{a,a}', '{A,A}', '{1,2}', NULL, '{NULL}'", "event_ids"),
    ("'{a,a}', '{A,A}', '{1,2}', NULL, '{}'", "event_ids"),
    ("'{a,NULL}', '{A,A}', '{1,2}', NULL", "event_streams[1]"),
    ("'{a,a}', '{NULL,A}', '{1,2}', NULL", "event_types[0]"),
    ("'{a,a}', '{A,A}', '{1,NULL}', NULL", "payloads[1]"),
    ("'{a,a}', '{A,A}', '{1,\"null\"}', NULL", "payloads[1]"),
    ("'{a,a}', '{A,\"\"}', '{1,2}', NULL", "event_types[1]"),
    (
        "'{a,a}', ARRAY['A', repeat('ü', 128)], '{1,2}', NULL",
        "event_types[1]",
    ),
    (
        "'{a,a}', ARRAY[E'\\t', 'A'], '{1,2}', NULL",
        "event_types[0]",
    ),
    ("'{a,a}', '{A,A}', '{1,2}', '{NULL,1}'", "metadata[1]"),
    (
        "'{a,a}', '{A,A}', '{1,2}', '{\"null\",NULL}'",
        "metadata[0]",
    ),
    ("'{a,a}', '{A,A}', '{1,2}', '{NULL,\"[]\"}'", "metadata[1]"),
    (
        "'{a,a}', '{A,A}', '{1,2}', NULL,
         '{00000000-0000-0000-0000-000000000001,00000000-0000-0000-0000-000000000001}'",
        "event_ids[1]",
    ),
];

pub(crate) const READS: [Case; 34] = [
    ("FROM eventcore_streams(repeat('a', 256))", "prefix"),
    ("FROM eventcore_streams(E'a\\nb')", "prefix"),
    ("FROM eventcore_streams(after => repeat('ü', 128))", "after"),
    ("FROM eventcore_streams(max_count => -1)", "max_count"),
    ("FROM eventcore_position_at(NULL)", "at"),
    ("FROM eventcore_read_stream(NULL)", "stream"),
    ("FROM eventcore_read_stream('')", "stream"),
    ("FROM eventcore_read_stream(repeat('a', 256))", "stream"),
    ("FROM eventcore_read_stream(repeat('ü', 128))", "stream"),
    ("FROM eventcore_read_stream(E'a\\rb')", "stream"),
    ("FROM eventcore_read_stream('a', -1)", "after_version"),
    (
        "FROM eventcore_read_stream('a', -9223372036854775808)",
        "after_version",
    ),
    ("FROM eventcore_read_stream('a', 0, -1)", "max_count"),
    (
        "FROM eventcore_read_stream('a', 0, -2147483648)",
        "max_count",
    ),
    ("FROM eventcore_read_stream('a', -1, 0)", "after_version"),
    (
        "FROM eventcore_read_stream('a', event_types => '{A,NULL}')",
        "event_types[1]",
    ),
    (
        "FROM eventcore_read_stream('a', event_types => '{{A},{B}}')",
        "event_types",
    ),
    (
        "FROM eventcore_read_streams('{a,b}', '{0}')",
        "after_versions",
    ),
    (
        "FROM eventcore_read_streams('{a,b}', '{}')",
        "after_versions",
    ),
    (
        "FROM eventcore_read_streams('{a,b}', '{0,0,0}')",
        "after_versions",
    ),
    (
        "FROM eventcore_read_streams('{a,b}', '{{0,0}}')",
        "after_versions",
    ),
    (
        "FROM eventcore_read_streams('{a,b}', '{0,-1}')",
        "after_versions[1]",
    ),
    (
        "FROM eventcore_read_streams('{a,b}', NULL, -1)",
        "max_count",
    ),
    (
        "FROM eventcore_read_streams('{a,b}', event_types => '{NULL}')",
        "event_types[0]",
    ),
    (
        "FROM eventcore_read_streams('{a,b}', event_types => '{{A},{B}}')",
        "event_types",
    ),
    ("FROM eventcore_read_all(-1)", "after_position"),
    ("FROM eventcore_read_all(0, -1)", "max_count"),
    (
        "FROM eventcore_read_all(-1, backward => true)",
        "after_position",
    ),
    (
        "FROM eventcore_read_all(stream_prefixes => '{a,NULL}')",
        "stream_prefixes[1]",
    ),
    (
        "FROM eventcore_read_all(stream_prefixes => '{{a},{b}}')",
        "stream_prefixes",
    ),
    (
        "FROM eventcore_read_all(event_types => '{NULL,A}')",
        "event_types[0]",
    ),
    (
        "FROM eventcore_read_all(event_types => '{{A},{B}}')",
        "event_types",
    ),
    ("FROM eventcore_stream_versions(NULL)", "streams"),
    ("FROM eventcore_stream_versions('{a,NULL}')", "streams[1]"),
];
