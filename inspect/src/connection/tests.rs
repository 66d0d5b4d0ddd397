use std::fs;

use super::*;

fn target(given: &Given, variables: &[(&str, &str)]) -> Target {
    resolve(given, &Environment::of(variables, "ada")).unwrap()
}

fn part<'a>(target: &'a Target, name: &str) -> (&'a str, String) {
    let (value, origin) = &target.values[name];
    (value, origin.to_string())
}

#[test]
fn an_option_counts_more_than_a_url_and_that_more_than_a_variable() {
    let given = Given {
        user: Some("option".to_owned()),
        ..Given::default()
    };
    let variables = [
        ("EVENTCORE_URL", "postgresql://url:secret@server/shop"),
        ("PGUSER", "variable"),
        ("PGDATABASE", "variable"),
        ("PGPORT", "7777"),
        ("DATABASE_URL", "postgresql://last/last"),
    ];
    let found = target(&given, &variables);
    assert_eq!(
        part(&found, "user"),
        ("option", "option --username".to_owned())
    );
    let of_url = "environment variable EVENTCORE_URL".to_owned();
    assert_eq!(part(&found, "dbname"), ("shop", of_url.clone()));
    assert_eq!(part(&found, "host"), ("server", of_url));
    let of_port = "environment variable PGPORT".to_owned();
    assert_eq!(part(&found, "port"), ("7777", of_port));
}

#[test]
fn a_password_of_one_server_is_not_sent_to_another() {
    let variables = [("EVENTCORE_URL", "postgresql://u:secret@server/shop")];
    for given in [
        Given {
            host: Some("other".to_owned()),
            ..Given::default()
        },
        Given {
            port: Some("1".to_owned()),
            ..Given::default()
        },
        Given {
            url: Some("postgresql:///db".to_owned()),
            ..Given::default()
        },
        Given {
            database: Some("host=other".to_owned()),
            ..Given::default()
        },
    ] {
        assert_eq!(
            target(&given, &variables).get("password"),
            None,
            "{given:?}"
        );
    }
    let other_database = Given {
        database: Some("other".to_owned()),
        ..Given::default()
    };
    let found = target(&other_database, &variables);
    assert_eq!(found.get("password"), Some("secret"));
    assert_eq!(found.get("dbname"), Some("other"));
}

#[test]
fn database_url_counts_only_if_nothing_else_says_where_the_server_is() {
    let url = ("DATABASE_URL", "postgresql://server/shop");
    assert_eq!(
        target(&Given::default(), &[url]).get("host"),
        Some("server")
    );
    let with_other = target(&Given::default(), &[url, ("PGDATABASE", "mine")]);
    assert_eq!(with_other.get("dbname"), Some("mine"));
    assert_ne!(with_other.get("host"), Some("server"));
}

#[test]
fn the_user_is_the_default_and_the_database_is_named_like_the_user() {
    let found = target(&Given::default(), &[]);
    assert_eq!(found.get("user"), Some("ada"));
    assert_eq!(found.get("dbname"), Some("ada"));
    assert!(found.get("host").is_some());
}

#[test]
fn urls_and_pairs_say_the_same() {
    let url = "postgresql://u%40x:p%3A%2F'\\@one:1,[::1]:2/d%20b?sslmode=verify-full&application_name=a%26b";
    let pairs = r"user='u@x' password='p:/\'\\' host=one,::1 port = 1,2 dbname='d b' sslmode=verify-full application_name=a&b";
    let sorted = |text| {
        let mut pairs = conninfo::parse(text).unwrap();
        pairs.sort();
        pairs
    };
    assert_eq!(sorted(url), sorted(pairs));
    let found = target(
        &Given {
            url: Some(url.to_owned()),
            ..Given::default()
        },
        &[],
    );
    assert_eq!(sorted(&found.conninfo()), sorted(pairs));
}

#[test]
fn a_malformed_string_is_refused_without_its_text() {
    for text in [
        "postgresql://u:secret@[::1/d",
        "host='secret",
        "secret",
        "mysql://secret",
        "postgresql://u:secret%ff@h/d",
    ] {
        let given = Given {
            url: Some(text.to_owned()),
            ..Given::default()
        };
        let error = resolve(&given, &Environment::default()).unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains("--url") && !message.contains("secret"),
            "{message}"
        );
    }
}

#[test]
fn a_parameter_that_would_make_it_safer_is_refused_and_a_harmless_one_is_told() {
    let given = |url: &str| Given {
        url: Some(url.to_owned()),
        ..Given::default()
    };
    let error = resolve(
        &given("host=h require_auth=scram-sha-256"),
        &Environment::default(),
    );
    assert!(error.unwrap_err().to_string().contains("require_auth"));
    let error = resolve(&given("host=h colour=red"), &Environment::default());
    assert!(error.unwrap_err().to_string().contains("unknown"));
    let found = target(&given("host=h gssencmode=prefer"), &[]);
    assert!(found.warnings()[0].contains("gssencmode"));
}

#[test]
fn a_service_fills_in_what_nothing_else_says() {
    let folder = folder("service");
    let file = folder.join("services");
    fs::write(
        &file,
        "# comment\n[other]\nhost=wrong\n\n[shop]\nhost = server\nport=6000\nuser=service\n[after]\nuser=wrong\n",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let variables = [
        ("PGSERVICEFILE", file),
        ("PGSERVICE", "shop"),
        ("PGUSER", "variable"),
        ("PGPORT", "1"),
    ];
    let found = target(&Given::default(), &variables);
    assert_eq!(found.get("host"), Some("server"));
    assert_eq!(found.get("port"), Some("6000"));
    let origin = format!("service shop in {file}");
    assert_eq!(part(&found, "user"), ("service", origin));
    let variables = [("PGSERVICEFILE", file), ("PGSERVICE", "none")];
    let error = resolve(&Given::default(), &Environment::of(&variables, "ada"));
    assert!(error.unwrap_err().to_string().contains("\"none\""));
    fs::remove_dir_all(folder).unwrap();
}

#[cfg(unix)]
#[test]
fn the_password_file_gives_the_password_unless_others_may_read_it() {
    use std::os::unix::fs::PermissionsExt;

    let folder = folder("pgpass");
    let file = folder.join("pgpass");
    fs::write(
        &file,
        "# a comment\nother:*:*:*:wrong\nserver:5432:sh\\:op:ada:a\\:b:c\\\\\nserver:*:*:*:any\nlocalhost:*:*:*:socket\n",
    )
    .unwrap();
    let variables = [("PGPASSFILE", file.to_str().unwrap())];
    let given = |host: &str, database: &str| Given {
        host: Some(host.to_owned()),
        database: Some(database.to_owned()),
        ..Given::default()
    };
    let mode = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();

    mode(0o600);
    let found = target(&given("server", "sh:op"), &variables);
    assert_eq!(found.get("password"), Some("a:b:c\\"));
    assert!(found.parts().iter().all(|part| !part.value.contains("a:b")));
    let found = target(&given("server", "x"), &variables);
    assert_eq!(found.get("password"), Some("any"));
    let found = target(&given("/var/run/postgresql", "x"), &variables);
    assert_eq!(found.get("password"), Some("socket"));
    assert_eq!(
        target(&given("third", "x"), &variables).get("password"),
        None
    );

    mode(0o640);
    let found = target(&given("server", "sh:op"), &variables);
    assert_eq!(found.get("password"), None);
    assert!(found.warnings()[0].contains("0600"));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn hosts_with_different_passwords_are_refused() {
    let folder = folder("hosts");
    let file = folder.join("pgpass");
    fs::write(&file, "one:*:*:*:1\ntwo:*:*:*:2\n").unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let variables = [("PGPASSFILE", file.to_str().unwrap())];
    let given = Given {
        host: Some("one,two".to_owned()),
        ..Given::default()
    };
    let error = resolve(&given, &Environment::of(&variables, "ada"));
    assert!(matches!(error, Err(ConnectionError::SeveralPasswords)));
    fs::remove_dir_all(folder).unwrap();
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("eventcore-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}
