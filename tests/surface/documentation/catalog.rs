//! P13: everything that the extension installs is described in the catalog.

use crate::support::session;

/// Each object without a COMMENT, with its kind and name.
const UNDOCUMENTED: &str = "
    WITH member AS (
        SELECT d.classid, d.objid
          FROM pg_depend d JOIN pg_extension e ON d.refobjid = e.oid
         WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
           AND e.extname = 'eventcore'
    ), thing AS (
        SELECT classid, objid, 0 AS objsubid FROM member
         WHERE classid <> 'pg_type'::regclass
        UNION ALL
        SELECT 'pg_class'::regclass, attrelid, attnum
          FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
          JOIN member ON classid = 'pg_class'::regclass AND objid = attrelid
         WHERE attnum > 0 AND NOT attisdropped AND c.relkind IN ('r', 'p', 'v', 'm')
        UNION ALL
        SELECT 'pg_trigger'::regclass, t.oid, 0
          FROM pg_trigger t JOIN member ON classid = 'pg_class'::regclass AND objid = tgrelid
         WHERE NOT tgisinternal
    )
    SELECT pg_describe_object(classid, objid, objsubid),
           coalesce(CASE WHEN objsubid > 0 THEN col_description(objid, objsubid)
                         ELSE obj_description(objid, classid::regclass::text::name) END, '')
      FROM thing ORDER BY 1";

#[tokio::test]
async fn everything_that_is_installed_has_a_comment() {
    let client = session().await;
    let rows = client.query(UNDOCUMENTED, &[]).await.unwrap();
    let things: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    // 11 functions and procedures, 1 trigger function and its trigger, 2 tables of 15 columns, 3 views
    // of 24 columns, 2 sequences, 1 schema.
    assert!(things.len() >= 60, "{things:#?}");
    for kind in [
        "function eventcore_append",
        "function eventcore_wait",
        "table ",
        "view ",
        "sequence ",
        "schema ",
        "trigger ",
        "column ",
    ] {
        assert!(
            things.iter().any(|(thing, _)| thing.starts_with(kind)),
            "no {kind}: {things:#?}"
        );
    }
    let missing: Vec<_> = things
        .iter()
        .filter(|(_, comment)| comment.len() < 5)
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[tokio::test]
async fn the_extension_and_its_settings_say_what_they_are() {
    let client = session().await;
    let comment: String = crate::support::value(
        &client,
        "SELECT comment FROM pg_available_extensions WHERE name = 'eventcore'",
    )
    .await;
    assert!(!comment.is_empty());
    let settings = client
        .query(
            "SELECT name, short_desc FROM pg_settings WHERE name LIKE 'eventcore.%'",
            &[],
        )
        .await
        .unwrap();
    assert!(settings.len() >= 2);
    assert!(
        settings
            .iter()
            .all(|row| !row.get::<_, String>(1).is_empty())
    );
}
