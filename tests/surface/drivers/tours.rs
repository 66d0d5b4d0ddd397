//! The tour of `examples/drivers` with the drivers that Debian packages: each prints what
//! `expected.txt` says.

use std::io::{self, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;

use eventcore_harness::shared;

use super::{Folder, find, output, program};

const TOUR: &str = include_str!("../../../examples/drivers/tour.sql");
pub(super) const EXPECTED: &str = include_str!("../../../examples/drivers/expected.txt");

/// The driver for Java, from Debian's package libpostgresql-jdbc-java.
const JDBC: &str = "/usr/share/java/postgresql.jar";

/// A database with the functions that a tour registers as a command; its name.
pub(super) fn database(driver: &str) -> String {
    let database = format!("drivers_tour_{driver}");
    shared().create_database(&database).unwrap();
    shared().psql(&database, TOUR).unwrap();
    database
}

/// What the tour of one language prints.
#[track_caller]
fn tour(language: &str, program: &Path, script: &str) -> String {
    let folder = Folder::new(language);
    folder.copy(&format!("examples/drivers/{language}"));
    output(folder.command(program, &database(language)).arg(script))
}

#[test]
fn perl_makes_the_tour_with_dbd_pg() {
    let perl = program("perl", "perl libdbd-pg-perl");
    assert_eq!(tour("perl", &perl, "tour.pl"), EXPECTED);
}

#[test]
fn ruby_makes_the_tour_with_pg() {
    let ruby = program("ruby", "ruby-pg");
    assert_eq!(tour("ruby", &ruby, "tour.rb"), EXPECTED);
}

#[test]
fn php_makes_the_tour_with_pdo() {
    let php = program("php", "php-cli php-pgsql");
    assert_eq!(tour("php", &php, "tour.php"), EXPECTED);
}

/// A Java development kit takes about 300 MB, too much to install for one test: the test runs where
/// there is one.
#[test]
fn java_makes_the_tour_with_jdbc() {
    let Some(java) = find("javac").and_then(|_| find("java")) else {
        // Bypasses the test runner, which shows no output of a test that passes.
        let note = "NOT RUN: the tour by Java, since there is no javac (`apt-get install default-jdk-headless`)";
        writeln!(io::stderr(), "{note}").unwrap();
        return;
    };
    assert!(
        Path::new(JDBC).is_file(),
        "{JDBC} is missing: run `cargo xtask test`, which installs it, or \
         `apt-get install libpostgresql-jdbc-java`"
    );
    let folder = Folder::new("java");
    folder.copy("examples/drivers/java");
    let database = database("java");
    let port = tcp_port();
    let url = format!("jdbc:postgresql://127.0.0.1:{port}/{database}?user=postgres");
    let mut java = folder.command(java, &database);
    let result = output(java.args(["-cp", JDBC, "Tour.java", &url]));
    assert_eq!(result, EXPECTED);
}

/// JDBC cannot use a Unix socket, and the server listens on nothing else: this forwards a port for
/// one connection.
fn tcp_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let socket = format!(".s.PGSQL.{}", shared().port());
    let socket = shared().socket_folder().join(socket);
    thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut server = UnixStream::connect(socket).unwrap();
        let (mut to_client, mut from_server) =
            (client.try_clone().unwrap(), server.try_clone().unwrap());
        // Each ends with its connection. A test whose driver loses its connection fails.
        thread::spawn(move || io::copy(&mut from_server, &mut to_client));
        io::copy(&mut client, &mut server)
    });
    port
}
